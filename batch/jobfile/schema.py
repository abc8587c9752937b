"""The job file as it is written: names, types and ranges of its keys.

What a value means together with others is decided in ``resolve``; what is wrong with a shape is put into
words in ``explain``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from batch.jobfile.schema_inputs import InputsSpec, MatrixSpec, SplitSpec
from batch.jobfile.schema_models import EndpointSpec, ModelEntry, ModelSpec, PriceSpec, RateLimitsSpec
from batch.jobfile.schema_run import FinishReasonsSpec, LimitsSpec, OutputSpec, RetriesSpec, TimeoutsSpec
from batch.jobfile.schema_types import Concurrency, Name, Spec, Text, Texts
from batch.records import JSONObject  # noqa: TC001 - pydantic reads it


class MessageSpec(Spec):
    """One chat message."""

    role: Literal["system", "developer", "user", "assistant"] = Field(description="Who speaks.")
    content: str = Field(description="What is said; a Jinja2 template, or `file://` and the path of one.")


class PromptSpec(Spec):
    """One prompt of several."""

    id: Name | None = Field(default=None, description="The prompt's name, a part of its requests' ids.")
    system: str | None = Field(default=None, description="The system message; by default the job's.")
    prompt: Text | None = Field(
        default=None, description="The user's message; a Jinja2 template, or `file://` and the path of one."
    )
    messages: Annotated[list[MessageSpec], Field(min_length=1)] | None = Field(
        default=None, description="A whole conversation in place of `prompt`."
    )
    images: Texts | None = Field(
        default=None, description="Images that go with this prompt; by default the job's."
    )
    params: JSONObject = Field(default={}, description="Sampling parameters of this prompt alone.")


class JobSpec(EndpointSpec):
    """A whole job file."""

    name: Name | None = Field(
        default=None, description="The job's name; by default the file's, without its ending."
    )
    model: ModelEntry | None = Field(default=None, description="The model: its name, or keys and values.")
    models: Annotated[list[ModelEntry], Field(min_length=1)] | None = Field(
        default=None, description="Several models; every request goes to each."
    )
    prompt: Text | None = Field(
        default=None, description="The user's message; a Jinja2 template, or `file://` and the path of one."
    )
    messages: Annotated[list[MessageSpec], Field(min_length=1)] | None = Field(
        default=None, description="A whole conversation in place of `prompt`."
    )
    prompts: Annotated[list[PromptSpec], Field(min_length=1)] | None = Field(
        default=None, description="Several prompts; each is asked of every model."
    )
    system: str | None = Field(default=None, description="The system message.")
    images: Texts | None = Field(
        default=None,
        description="Images for vision models: paths, or URLs that are passed on; each a Jinja2 template.",
    )
    inputs: InputsSpec | None = Field(default=None, description="One request per document or row.")
    matrix: MatrixSpec | None = Field(
        default=None, description="Variables with lists of values; each combination is asked."
    )
    samples: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=1, description="How many answers are asked for, each by a request of its own."
    )
    reasoning: Literal["keep", "drop"] = Field(
        default="keep", description="Whether a result keeps the model's reasoning, in a field of its own."
    )
    response_format: JSONObject | None = Field(
        default=None,
        description="What answers must be: `{type: json_object}`, or `{type: json_schema, json_schema: "
        "{name: …, schema: …}}`. It is sent to the server, and every answer is checked here.",
    )
    on_length: Literal["accept", "retry", "fail"] = Field(
        default="accept",
        description="What becomes of an answer that was cut off at its limit of tokens; `retry` asks once "
        "more, with twice `max_tokens`.",
    )
    finish_reasons: FinishReasonsSpec = Field(
        default=FinishReasonsSpec.model_construct(),
        description="Finish reasons of this job's servers that are not known here.",
    )
    concurrency: Concurrency = Field(default=8, description="Requests in flight at once, at the most.")
    adaptive: bool = Field(
        default=True,
        description="Whether fewer go out at once where the endpoint takes no more; false: always as many "
        "as `concurrency` says.",
    )
    retries: RetriesSpec = Field(
        default=RetriesSpec.model_construct(), description="How often a request is sent."
    )
    timeouts: TimeoutsSpec = Field(default=TimeoutsSpec.model_construct(), description="How long is waited.")
    limits: LimitsSpec = Field(
        default=LimitsSpec.model_construct(), description="Where a run stops, with the rest pending."
    )
    output: OutputSpec = Field(
        default=OutputSpec.model_construct(), description="The results: their file, and what it holds."
    )


PARTS: dict[tuple[str, ...], type[Spec]] = {
    (): JobSpec,
    ("model",): ModelSpec,
    ("models",): ModelSpec,
    ("messages",): MessageSpec,
    ("prompts",): PromptSpec,
    ("prompts", "messages"): MessageSpec,
    ("inputs",): InputsSpec,
    ("inputs", "split"): SplitSpec,
    ("matrix",): MatrixSpec,
    ("retries",): RetriesSpec,
    ("timeouts",): TimeoutsSpec,
    ("output",): OutputSpec,
    ("limits",): LimitsSpec,
    ("finish_reasons",): FinishReasonsSpec,
    ("rate_limits",): RateLimitsSpec,
    ("model", "rate_limits"): RateLimitsSpec,
    ("models", "rate_limits"): RateLimitsSpec,
    ("model", "price"): PriceSpec,
    ("models", "price"): PriceSpec,
}
"""The parts of a job file by where they stand, list positions left out."""
