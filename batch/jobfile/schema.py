"""The job file as it is written: names, types and ranges of its keys.

What a value means together with others is decided in ``resolve``; what is wrong with a shape is put into
words in ``explain``. ``later`` names the keys that are reserved and not built yet.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from batch.jobfile.durations import seconds
from batch.jobfile.job import Failures
from batch.records import JSONObject  # noqa: TC001 - pydantic reads it


def _to_seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return seconds(value)
    except ValueError:
        raise PydanticCustomError("duration", "not a duration") from None


def _to_failures(value: object) -> object:
    if isinstance(value, str) and (match := _SHARE.fullmatch(value)):
        return Failures(share=float(match[1]) / 100)
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return Failures(number=value)
    raise PydanticCustomError("failures", "neither a number of failures nor a share")


def _to_model(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


def _to_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Text = Annotated[str, Field(min_length=1)]
# What editors are told of values that may be written in a shorter way; see ``json_schema``.
_DURATION = r"[0-9]{1,9}(\.[0-9]{1,9})? ?(ms|s|m|h)?\s*$"
_Seconds = (
    Annotated[float, Field(ge=0)] | Annotated[str, Field(json_schema_extra={"pattern": rf"^\s*{_DURATION}"})]
)
_PositiveSeconds = (
    Annotated[float, Field(gt=0)]
    | Annotated[str, Field(json_schema_extra={"pattern": rf"^\s*(?=.*[1-9]){_DURATION}"})]
)
_Texts = Annotated[list[Text], Field(min_length=1)] | Text

Duration = Annotated[
    float, BeforeValidator(_to_seconds, json_schema_input_type=_Seconds), Field(ge=0, allow_inf_nan=False)
]
PositiveDuration = Annotated[
    float,
    BeforeValidator(_to_seconds, json_schema_input_type=_PositiveSeconds),
    Field(gt=0, allow_inf_nan=False),
]
Texts = Annotated[list[Text], BeforeValidator(_to_list, json_schema_input_type=_Texts), Field(min_length=1)]
_SHARE = re.compile(r"(?=.*[1-9])([0-9]{1,2}(?:\.[0-9]{1,9})?|100) ?%", re.ASCII)
FailuresLimit = Annotated[
    Failures,
    BeforeValidator(
        _to_failures,
        json_schema_input_type=Annotated[int, Field(ge=1)]
        | Annotated[str, Field(json_schema_extra={"pattern": f"^{_SHARE.pattern}$"})],
    ),
]
Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PerMinute = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Concurrency = Annotated[int, Field(ge=1, le=10_000)]


class Spec(BaseModel):
    """A part of a job file: frozen, and strict about names and types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    later: ClassVar[frozenset[str]] = frozenset()


class RateLimitsSpec(Spec):
    """What a model may be sent in any minute."""

    rpm: PerMinute | None = Field(default=None, description="Requests a minute.")
    tpm: PerMinute | None = Field(default=None, description="Tokens a minute, of prompts and answers.")


class PriceSpec(Spec):
    """What a model's tokens cost."""

    input: Money = Field(description="A million tokens of prompts, in any currency.")
    output: Money = Field(description="A million tokens of answers.")


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
        default=None, description="The URL of an HTTP proxy; a password is written `${NAME}`."
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


class MessageSpec(Spec):
    """One chat message."""

    role: Literal["system", "developer", "user", "assistant"] = Field(description="Who speaks.")
    content: str = Field(description="What is said; a Jinja2 template.")


class PromptSpec(Spec):
    """One prompt of several."""

    id: Name | None = Field(default=None, description="The prompt's name, a part of its requests' ids.")
    system: str | None = Field(default=None, description="The system message; by default the job's.")
    prompt: Text | None = Field(default=None, description="The user's message; a Jinja2 template.")
    messages: Annotated[list[MessageSpec], Field(min_length=1)] | None = Field(
        default=None, description="A whole conversation in place of `prompt`."
    )
    images: Texts | None = Field(
        default=None, description="Images that go with this prompt; by default the job's."
    )
    params: JSONObject = Field(default={}, description="Sampling parameters of this prompt alone.")


class SplitSpec(Spec):
    """How a long text is cut, at the ends of paragraphs and sentences."""

    tokens: Annotated[int, Field(ge=10)] = Field(description="The longest chunk, in tokens (estimated).")
    overlap: Annotated[int, Field(ge=0)] = Field(
        default=0, description="How many tokens of the chunk before each repeats."
    )


class InputsSpec(Spec):
    """What the prompts are filled with."""

    files: Texts | None = Field(
        default=None,
        description="Glob patterns of documents; `text`, `path`, `name`, `stem` become variables.",
    )
    csv: Text | None = Field(
        default=None, description="A CSV file with a header; the columns become variables, all of them text."
    )
    jsonl: Text | None = Field(default=None, description="A JSON Lines file; the columns become variables.")
    parquet: Text | None = Field(
        default=None, description="A Parquet file (extra `parquet`); the columns become variables."
    )
    results: Text | None = Field(
        default=None,
        description="The results of another job; `text`, `id`, `metadata` and its fields become variables.",
    )
    group_by: Texts | None = Field(
        default=None,
        description="For `results`: the fields of their metadata that make a group; "
        "one request per group, with the variable `items`.",
    )
    id_field: Name | None = Field(
        default=None, description="The column that holds a row's id; by default `id`."
    )
    on_bad_row: Literal["stop", "skip"] = Field(
        default="stop",
        description="Whether a bad row or document stops the job before anything is sent, "
        "or is recorded as failed.",
    )
    split: SplitSpec | None = Field(
        default=None,
        description="Cut the variable `text` into chunks, a request each; `chunk` and `chunks` count them.",
    )


class MatrixSpec(Spec):
    """Every combination of some variables' values; each further key is a variable with its list of values."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    __pydantic_extra__: dict[str, Annotated[list[Any], Field(min_length=1)]]

    include: list[JSONObject] = Field(
        default=[], description="Variables added to the combinations they fit, or combinations of their own."
    )
    exclude: list[JSONObject] = Field(default=[], description="Combinations that are left out.")


class RetriesSpec(Spec):
    """How often one request is sent."""

    max_attempts: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=8, description="Attempts, the first included."
    )
    base: Duration = Field(default=0.5, description="The first back-off.")
    cap: Duration = Field(default=60.0, description="The longest back-off.")
    validation_retries: Annotated[int, Field(ge=0, le=100)] = Field(
        default=2,
        description="Attempts, of them, after an answer that is not what `response_format` demands.",
    )


class TimeoutsSpec(Spec):
    """How long is waited for what."""

    connect: PositiveDuration = Field(default=10.0, description="Until connected.")
    first_byte: PositiveDuration = Field(default=300.0, description="Until the first piece of the answer.")
    idle: PositiveDuration = Field(default=120.0, description="Between two pieces of the answer.")
    total: PositiveDuration | None = Field(default=None, description="For one whole attempt; null: no limit.")
    outage: PositiveDuration = Field(
        default=1800.0, description="Until an endpoint that is out stops the run."
    )
    grace: Duration = Field(default=30.0, description="For requests in flight when the run is asked to stop.")


class LimitsSpec(Spec):
    """Where one run of the job stops, with the rest pending."""

    cost: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="What the run may cost, in the currency of the prices."
    )
    tokens: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="The tokens that it may take, of prompts and answers."
    )
    time: PositiveDuration | None = Field(
        default=None, description="For how long it may send; what is in flight then has `timeouts.grace`."
    )
    failures: FailuresLimit | None = Field(
        default=None,
        description="How many requests may fail: a number, or a share such as `10%`, from 20 results on.",
    )


class OutputSpec(Spec):
    """Where the results go."""

    path: Text | None = Field(
        default=None, description="The file of results; by default output/<name>.jsonl."
    )
    order: Literal["completion", "input"] = Field(
        default="completion",
        description="The order of the lines once a run has ended: as they came, or that of the job.",
    )
    include: Annotated[list[Literal["messages"]], BeforeValidator(_to_list)] = Field(
        default=[], description="What each line holds besides the answer: `messages`, those that were sent."
    )


class JobSpec(EndpointSpec):
    """A whole job file."""

    later = frozenset({})

    name: Name | None = Field(
        default=None, description="The job's name; by default the file's, without its ending."
    )
    model: ModelEntry | None = Field(default=None, description="The model: its name, or keys and values.")
    models: Annotated[list[ModelEntry], Field(min_length=1)] | None = Field(
        default=None, description="Several models; every request goes to each."
    )
    prompt: Text | None = Field(default=None, description="The user's message; a Jinja2 template.")
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
    ("rate_limits",): RateLimitsSpec,
    ("model", "rate_limits"): RateLimitsSpec,
    ("models", "rate_limits"): RateLimitsSpec,
    ("model", "price"): PriceSpec,
    ("models", "price"): PriceSpec,
}
"""The parts of a job file by where they stand, list positions left out."""
