"""A model and its endpoint, as they are written."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from batch.jobfile.schema_types import Concurrency, Money, Name, PerMinute, Spec, Text
from batch.records import JSONObject  # noqa: TC001 - pydantic reads it


def _to_model(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


class RateLimitsSpec(Spec):
    """Rate limits of a model."""

    rpm: PerMinute | None = Field(default=None, description="Requests per minute.")
    tpm: PerMinute | None = Field(
        default=None, description="Tokens per minute, prompts and answers together."
    )


class PriceSpec(Spec):
    """Prices per million tokens."""

    input: Money = Field(description="Price of a million prompt tokens, in any currency.")
    output: Money = Field(description="Price of a million answer tokens.")


class EndpointSpec(Spec):
    """An endpoint. At the top of the file, these keys are the defaults for every model."""

    provider: Literal["autonomous", "openai"] | None = Field(
        default=None, description="The API dialect of the endpoint. There is no default."
    )
    base_url: Text | None = Field(
        default=None,
        description="The address of the endpoint; `local` starts the embedded one. The default is the "
        "provider's own address.",
    )
    engine: Text | None = Field(
        default=None,
        description="The engine of the embedded endpoint: `llama`, `extractive` or the path of a .gguf file.",
    )
    api_key_env: Text | None = Field(
        default=None, description="The environment variable that holds the API key."
    )
    api_key_file: Text | None = Field(default=None, description="The file that holds the API key.")
    headers: dict[str, str] = Field(
        default={},
        description="HTTP headers. Write a secret as `${NAME}`, where NAME is an environment variable.",
    )
    proxy: Text | None = Field(
        default=None,
        description="The URL of an HTTP proxy; write a password as `${NAME}`. The default comes from the "
        "environment (`HTTPS_PROXY`, `NO_PROXY`); `null` uses no proxy.",
    )
    mode: Literal["stream", "whole"] | None = Field(
        default=None,
        description="Request a stream (the default), or a `whole` response, for models that do not stream.",
    )
    keep_alive: bool | None = Field(
        default=None,
        description="Whether to reuse connections (the default). Set `false` if a proxy or server closes "
        "idle connections silently.",
    )
    params: JSONObject = Field(default={}, description="Sampling parameters, sent unchanged.")
    rate_limits: RateLimitsSpec = Field(
        default=RateLimitsSpec.model_construct(), description="Rate limits of each model."
    )


class ModelSpec(EndpointSpec):
    """A model with settings of its own."""

    id: Name | None = Field(
        default=None, description="The model's name within this job. The default is `model`."
    )
    model: Name = Field(description="The model's name, as sent to the endpoint.")
    base_urls: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None,
        description="Several endpoints that serve this model, instead of `base_url`. Requests go to the "
        "least busy one.",
    )
    concurrency: Concurrency | None = Field(
        default=None, description="Maximum number of requests in flight for this model."
    )
    price: PriceSpec | None = Field(
        default=None,
        description="Its token prices. The default comes from the extra `prices`, if it is installed.",
    )


ModelEntry = Annotated[ModelSpec, BeforeValidator(_to_model, json_schema_input_type=ModelSpec | Name)]
"""A model as it may be written: its name, or keys and values."""
