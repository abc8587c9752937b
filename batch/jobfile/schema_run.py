"""How a job is run and where its results go, as it is written."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from batch.jobfile.schema_types import Duration, FailuresLimit, PositiveDuration, Spec, Text, to_list


class RetriesSpec(Spec):
    """Retries of failed requests."""

    max_attempts: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=8, description="Maximum number of attempts per request, including the first."
    )
    base: Duration = Field(
        default=0.5, description="The first backoff. It doubles with each failure, with full jitter."
    )
    cap: Duration = Field(
        default=60.0, description="The longest backoff. A longer `Retry-After` parks the endpoint."
    )
    validation_retries: Annotated[int, Field(ge=0, le=100)] = Field(
        default=2,
        description="How many of these attempts may follow an answer that does not match `response_format`.",
    )


class TimeoutsSpec(Spec):
    """Timeouts of an attempt and of a run."""

    connect: PositiveDuration = Field(default=10.0, description="For the connection.")
    first_byte: PositiveDuration = Field(default=300.0, description="Until the first model output.")
    idle: PositiveDuration = Field(
        default=120.0, description="Between two pieces of model output. Keep-alive pings do not reset it."
    )
    total: PositiveDuration | None = Field(
        default=None, description="For one whole attempt; `null` means no limit."
    )
    outage: PositiveDuration = Field(
        default=1800.0, description="How long an endpoint may be down before the run stops."
    )
    grace: Duration = Field(default=30.0, description="For requests in flight when the run is stopped.")


class FinishReasonsSpec(Spec):
    """A server's own finish reasons, added to the built-in list."""

    complete: Annotated[list[Text], BeforeValidator(to_list)] = Field(
        default=[], description="Finish reasons of a complete answer."
    )
    length: Annotated[list[Text], BeforeValidator(to_list)] = Field(
        default=[], description="Finish reasons of an answer that was cut off at its token limit."
    )


class LimitsSpec(Spec):
    """Limits of one run. When one is reached, the rest stays pending."""

    cost: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="Maximum cost, in the currency of the prices."
    )
    tokens: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Maximum number of tokens, prompts and answers together."
    )
    time: PositiveDuration | None = Field(
        default=None,
        description="How long the run may send. Requests in flight then have `timeouts.grace` to finish.",
    )
    failures: FailuresLimit | None = Field(
        default=None,
        description="How many requests may fail: a number, or a share such as `10%`, which counts after 20 "
        "results.",
    )


class OutputSpec(Spec):
    """The output file."""

    path: Text | None = Field(
        default=None, description="The output file. The default is `output/<name>.jsonl`."
    )
    order: Literal["completion", "input"] = Field(
        default="completion",
        description="The order of the lines after a run: by completion, or as in the job.",
    )
    include: Annotated[list[Literal["messages"]], BeforeValidator(to_list)] = Field(
        default=[],
        description="What each line holds in addition: `messages` are the messages that were sent.",
    )
    on_change: Literal["keep", "replace", "refuse"] = Field(
        default="keep",
        description="What to do with the succeeded answer of a request that has changed: `keep` moves it to "
        "`<output>.superseded.jsonl`, `replace` drops it, `refuse` stops before anything is sent.",
    )
