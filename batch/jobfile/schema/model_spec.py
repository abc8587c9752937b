"""The schema of a model and its endpoint."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from batch.jobfile.schema.dialect_name import DialectName  # noqa: TC001 - pydantic reads it
from batch.jobfile.schema.types import Concurrency, Currency, Money, Name, PerMinute, Spec, Text
from batch.records import JSONObject  # noqa: TC001 - pydantic reads it


def _to_model(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


class RateLimitsSpec(Spec):
    """Rate limits of a model."""

    rpm: PerMinute | None = Field(default=None, description="Requests per minute.", examples=[60])
    tpm: PerMinute | None = Field(
        default=None, description="Tokens per minute, prompts and answers together.", examples=[90000]
    )


class PriceSpec(Spec):
    """Prices per million tokens."""

    input: Money = Field(description="Price of a million prompt tokens.", examples=[0.15])
    output: Money = Field(description="Price of a million answer tokens.", examples=[0.6])
    cached_input: Money | None = Field(
        default=None,
        description="Price of a million prompt tokens read from a cache; by default as `input`.",
        examples=[0.075],
    )
    cache_write: Money | None = Field(
        default=None,
        description="Price of a million prompt tokens written to a cache; by default as `input`.",
        examples=[0.1875],
    )
    currency: Currency = Field(
        default="USD",
        description="The currency of these prices, by its three-letter code; one for the whole job.",
        examples=["EUR"],
    )


class EndpointSpec(Spec):
    """An endpoint. At the top of the file, these keys are the defaults for every model."""

    provider: DialectName | None = Field(
        default=None, description="The API dialect of the endpoint. There is no default.", examples=["openai"]
    )
    base_url: Text | None = Field(
        default=None,
        description="The address of the endpoint; `local` starts the embedded one. The default is the "
        "provider's own address.",
        examples=["http://127.0.0.1:8000/v1"],
    )
    endpoint_scope: Literal["job", "worker"] | None = Field(
        default=None,
        description="Whether the address leads every worker on Ray to the same server (`job`, the default), "
        "or each to one of its own (`worker`), such as `http://127.0.0.1:8000/v1` on each node.",
        examples=["worker"],
    )
    engine: Text | None = Field(
        default=None,
        description="The engine of the embedded endpoint: `llama`, `extractive` or the path of a .gguf file.",
        examples=["extractive"],
    )
    api_key_env: Text | None = Field(
        default=None,
        description="The environment variable that holds the API key.",
        examples=["OPENAI_API_KEY"],
    )
    api_key_file: Text | None = Field(
        default=None, description="The file that holds the API key.", examples=["~/.config/llm.key"]
    )
    headers: dict[str, str] = Field(
        default={},
        description="HTTP headers. Write a secret as `${NAME}`, where NAME is an environment variable.",
        examples=[{"X-Team": "${TEAM}"}],
    )
    proxy: Text | None = Field(
        default=None,
        description="The URL of an HTTP proxy; write a password as `${NAME}`. The default comes from the "
        "environment (`HTTPS_PROXY`, `NO_PROXY`); `null` uses no proxy.",
        examples=["http://proxy:3128"],
    )
    mode: Literal["stream", "whole"] | None = Field(
        default=None,
        description="Request a stream (the default), or a `whole` response, for models that do not stream.",
        examples=["whole"],
    )
    keep_alive: bool | None = Field(
        default=None,
        description="Whether to reuse connections (the default). Set `false` if a proxy or server closes "
        "idle connections silently.",
        examples=[False],
    )
    params: JSONObject = Field(
        default={},
        description="Sampling parameters, sent unchanged.",
        examples=[{"temperature": 0, "max_tokens": 200}],
    )
    rate_limits: RateLimitsSpec = Field(
        default=RateLimitsSpec.model_construct(),
        description="Rate limits of each model.",
        examples=[{"rpm": 60}],
    )
    price: PriceSpec | None = Field(
        default=None,
        description="Token prices of each model. The default comes from the extra `prices`, if it is "
        "installed.",
        examples=[{"input": 0.15, "output": 0.6}],
    )


class ModelSpec(EndpointSpec):
    """A model with settings of its own."""

    id: Name | None = Field(
        default=None,
        description="The model's name within this job. The default is `model`.",
        examples=["fast"],
    )
    model: Name = Field(description="The model's name, as sent to the endpoint.", examples=["gpt-4o-mini"])
    base_urls: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None,
        description="Several endpoints that serve this model, instead of `base_url`. Requests go to the "
        "least busy one.",
        examples=[["http://127.0.0.1:8001/v1", "http://127.0.0.1:8002/v1"]],
    )
    concurrency: Concurrency | None = Field(
        default=None, description="Maximum number of requests in flight for this model.", examples=[4]
    )


ModelEntry = Annotated[ModelSpec, BeforeValidator(_to_model, json_schema_input_type=ModelSpec | Name)]
"""A model as written: its name, or a mapping."""
