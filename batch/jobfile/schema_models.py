"""A model and its endpoint, as they are written."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from batch.jobfile.schema_types import Concurrency, Currency, Money, Name, PerMinute, Spec, Text
from batch.records import JSONObject  # noqa: TC001 - pydantic reads it


def _to_model(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


class RateLimitsSpec(Spec):
    """What a model may be sent in any minute."""

    rpm: PerMinute | None = Field(default=None, description="Requests a minute.")
    tpm: PerMinute | None = Field(default=None, description="Tokens a minute, of prompts and answers.")


class PriceSpec(Spec):
    """What a model's tokens cost."""

    input: Money = Field(description="A million tokens of prompts.")
    output: Money = Field(description="A million tokens of answers.")
    cached_input: Money | None = Field(
        default=None, description="A million prompt tokens read from a cache; by default as `input`."
    )
    cache_write: Money | None = Field(
        default=None, description="A million prompt tokens written to a cache; by default as `input`."
    )
    currency: Currency = Field(
        default="USD",
        description="The currency of these prices, by its three-letter code; one for the whole job.",
    )


class EndpointSpec(Spec):
    """Where requests go; at the top of the file these are the defaults of every model."""

    provider: Literal["autonomous", "openai"] | None = Field(
        default=None, description="The dialect that the endpoint speaks."
    )
    base_url: Text | None = Field(
        default=None,
        description="The endpoint's address; `local` for the embedded one; absent: the provider's own.",
    )
    engine: Text | None = Field(
        default=None,
        description="The embedded endpoint's engine: `llama`, `extractive` or the path of a .gguf file.",
    )
    api_key_env: Text | None = Field(default=None, description="The environment variable that holds the key.")
    api_key_file: Text | None = Field(default=None, description="The file that holds the key.")
    headers: dict[str, str] = Field(
        default={}, description="HTTP headers; a secret is written as `${NAME}`, an environment variable."
    )
    proxy: Text | None = Field(
        default=None,
        description="The URL of an HTTP proxy; a password is written `${NAME}`. By default that of the "
        "environment (`HTTPS_PROXY`, `NO_PROXY`); null: none at all.",
    )
    mode: Literal["stream", "whole"] | None = Field(
        default=None,
        description="How answers are asked for: as a stream (the default), or `whole`, in one piece, for "
        "models that refuse to stream.",
    )
    keep_alive: bool | None = Field(
        default=None,
        description="Whether a connection serves several requests, which is the default; false helps where "
        "a proxy or a server closes connections without a word.",
    )
    params: JSONObject = Field(default={}, description="Sampling parameters, sent as they stand.")
    rate_limits: RateLimitsSpec = Field(
        default=RateLimitsSpec.model_construct(), description="What each model may be sent in a minute."
    )


class ModelSpec(EndpointSpec):
    """One model of several, or one with settings of its own."""

    id: Name | None = Field(default=None, description="The model's name within this job; by default its own.")
    model: Name = Field(description="The model's name, as the endpoint knows it.")
    base_urls: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None,
        description="Several addresses of this model, in place of `base_url`; its requests are shared out.",
    )
    concurrency: Concurrency | None = Field(
        default=None, description="Requests in flight at once for this model."
    )
    price: PriceSpec | None = Field(
        default=None, description="What its tokens cost; by default as the extra `prices` knows it."
    )


ModelEntry = Annotated[ModelSpec, BeforeValidator(_to_model, json_schema_input_type=ModelSpec | Name)]
"""A model as it may be written: its name, or keys and values."""
