"""The schema of a job file: names, types and ranges of its keys.

``resolve`` checks combinations of values; ``explain`` describes schema errors.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from batch.jobfile.schema.inputs_spec import InputsSpec, MatrixSpec, SplitSpec
from batch.jobfile.schema.model_spec import EndpointSpec, ModelEntry, ModelSpec, PriceSpec, RateLimitsSpec
from batch.jobfile.schema.run_spec import FinishReasonsSpec, LimitsSpec, OutputSpec, RetriesSpec, TimeoutsSpec
from batch.jobfile.schema.types import Concurrency, Name, Spec, Text, Texts
from batch.records import JSONObject  # noqa: TC001 - pydantic reads it


class MessageSpec(Spec):
    """A chat message."""

    role: Literal["system", "developer", "user", "assistant"] = Field(
        description="The role of the author.", examples=["user"]
    )
    content: str = Field(
        description="The text; a Jinja2 template, or `file://` and the path of one.",
        examples=["Summarize: {{ text }}"],
    )


class PromptSpec(Spec):
    """One entry of `prompts`."""

    id: Name | None = Field(
        default=None,
        description="The prompt's name; it becomes part of the ids of its requests.",
        examples=["rivers"],
    )
    system: str | None = Field(
        default=None,
        description="The system message. The default is the job's.",
        examples=["Answer in one word."],
    )
    prompt: Text | None = Field(
        default=None,
        description="The user's message; a Jinja2 template, or `file://` and the path of one.",
        examples=["Name a river."],
    )
    messages: Annotated[list[MessageSpec], Field(min_length=1)] | None = Field(
        default=None,
        description="A whole conversation in place of `prompt`.",
        examples=[[{"role": "user", "content": "Name a river."}]],
    )
    images: Texts | None = Field(
        default=None,
        description="Images sent with this prompt. The default is the job's.",
        examples=[["pictures/a.png"]],
    )
    params: JSONObject = Field(
        default={}, description="Sampling parameters for this prompt only.", examples=[{"temperature": 1}]
    )


def _to_prompt(written: object) -> object:
    return {"prompt": written} if isinstance(written, str) else written


PromptEntry = Annotated[PromptSpec, BeforeValidator(_to_prompt, json_schema_input_type=PromptSpec | Text)]
"""A prompt as written: its text, or a mapping."""


class JobSpec(EndpointSpec):
    """A job file."""

    name: Name | None = Field(
        default=None,
        description="The job's name. The default is the file name without its suffix. It also names the "
        "default output, `output/<name>.jsonl`.",
        examples=["summaries"],
    )
    model: ModelEntry | None = Field(
        default=None,
        description="The model: its name, or a mapping with settings of its own.",
        examples=["gpt-4o-mini"],
    )
    models: Annotated[list[ModelEntry], Field(min_length=1)] | None = Field(
        default=None,
        description="Several models; every prompt is sent to each of them.",
        examples=[["llama3.2", "qwen2.5"]],
    )
    prompt: Text | None = Field(
        default=None,
        description="The user's message; a Jinja2 template, or `file://` and the path of one.",
        examples=["Summarize: {{ text }}"],
    )
    messages: Annotated[list[MessageSpec], Field(min_length=1)] | None = Field(
        default=None,
        description="A whole conversation in place of `prompt`.",
        examples=[[{"role": "user", "content": "{{ text }}"}]],
    )
    prompts: Annotated[list[PromptEntry], Field(min_length=1)] | None = Field(
        default=None,
        description="Several prompts, texts or mappings; each is sent to every model.",
        examples=[["Name a river.", {"id": "lakes", "prompt": "Name a lake."}]],
    )
    system: str | None = Field(
        default=None, description="The system message.", examples=["You write plain English."]
    )
    images: Texts | None = Field(
        default=None,
        description="Images for vision models: paths, or URLs that are passed on. Each is a Jinja2 template.",
        examples=[["pictures/{{ file }}"]],
    )
    inputs: InputsSpec | None = Field(
        default=None,
        description="Documents or table rows; each becomes one request per prompt and model.",
        examples=[{"files": ["documents/*.txt"]}],
    )
    matrix: MatrixSpec | None = Field(
        default=None,
        description="Template variables with lists of values; every combination becomes a request.",
        examples=[{"mood": ["polite", "angry"]}],
    )
    samples: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=1,
        description="Number of answers to each prompt. Each answer is a separate request.",
        examples=[5],
    )
    reasoning: Literal["keep", "drop"] = Field(
        default="keep",
        description="Whether a result keeps the model's reasoning, in the field `reasoning`.",
        examples=["drop"],
    )
    response_format: JSONObject | None = Field(
        default=None,
        description="The required form of answers: `{type: json_object}`, or `{type: json_schema, "
        "json_schema: {name: …, schema: …}}`. It is sent to the server, and the runner validates every "
        "answer.",
        examples=[{"type": "json_object"}],
    )
    on_length: Literal["accept", "retry", "fail"] = Field(
        default="accept",
        description="What to do with an answer that was cut off at its token limit: accept it with verdict "
        "`length`, retry once with twice `max_tokens`, or fail.",
        examples=["retry"],
    )
    finish_reasons: FinishReasonsSpec = Field(
        default=FinishReasonsSpec.model_construct(),
        description="Finish reasons of your server that are not on the built-in list.",
        examples=[{"complete": ["done"]}],
    )
    concurrency: Concurrency = Field(
        default=8, description="Maximum number of requests in flight.", examples=[16]
    )
    adaptive: bool = Field(
        default=True,
        description="Whether to send fewer requests at once while the endpoint is congested. With `false`, "
        "`concurrency` is a fixed number.",
        examples=[False],
    )
    retries: RetriesSpec = Field(
        default=RetriesSpec.model_construct(),
        description="How often a failed request is retried.",
        examples=[{"max_attempts": 4}],
    )
    timeouts: TimeoutsSpec = Field(
        default=TimeoutsSpec.model_construct(), description="How long to wait.", examples=[{"idle": "60s"}]
    )
    limits: LimitsSpec = Field(
        default=LimitsSpec.model_construct(),
        description="Limits at which a run stops. The rest stays pending.",
        examples=[{"cost": 5}],
    )
    output: OutputSpec = Field(
        default=OutputSpec.model_construct(),
        description="The output file and what its lines hold.",
        examples=[{"order": "input"}],
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
    ("price",): PriceSpec,
    ("model", "price"): PriceSpec,
    ("models", "price"): PriceSpec,
}
"""Return the parts of a job file by their paths, without list indexes."""
