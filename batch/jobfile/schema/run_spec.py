"""The schema of retries, timeouts, limits and output."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from batch.jobfile.schema.types import Duration, FailuresLimit, PositiveDuration, Spec, Text, to_list


class RetriesSpec(Spec):
    """Retries of failed requests."""

    max_attempts: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=8, description="Maximum number of attempts per request, including the first.", examples=[4]
    )
    base: Duration = Field(
        default=0.5,
        description="The first backoff. It doubles with each failure, with full jitter.",
        examples=["1s"],
    )
    cap: Duration = Field(
        default=60.0,
        description="The longest backoff. A longer `Retry-After` parks the endpoint.",
        examples=["2m"],
    )
    validation_retries: Annotated[int, Field(ge=0, le=100)] = Field(
        default=2,
        description="How many of these attempts may follow an answer that does not match `response_format`.",
        examples=[1],
    )


class TimeoutsSpec(Spec):
    """Timeouts of an attempt and of a run."""

    connect: PositiveDuration = Field(default=10.0, description="Maximum time to connect.", examples=["5s"])
    first_byte: PositiveDuration = Field(
        default=300.0, description="Maximum time until the first model output.", examples=["10m"]
    )
    idle: PositiveDuration = Field(
        default=120.0,
        description="Maximum time between two pieces of model output. Keep-alive pings do not reset it.",
        examples=["60s"],
    )
    total: PositiveDuration | None = Field(
        default=None, description="Maximum time for one attempt; `null` means no limit.", examples=["15m"]
    )
    outage: PositiveDuration = Field(
        default=1800.0, description="How long an endpoint may be down before the run stops.", examples=["2h"]
    )
    grace: Duration = Field(
        default=30.0,
        description="How long requests in flight may take to finish when the run is stopped.",
        examples=["1m"],
    )


class FinishReasonsSpec(Spec):
    """A server's own finish reasons, added to the built-in list."""

    complete: Annotated[list[Text], BeforeValidator(to_list)] = Field(
        default=[], description="Finish reasons of a complete answer.", examples=[["done"]]
    )
    length: Annotated[list[Text], BeforeValidator(to_list)] = Field(
        default=[],
        description="Finish reasons of an answer that was cut off at its token limit.",
        examples=[["too_long"]],
    )


class LimitsSpec(Spec):
    """Limits of one run. When one is reached, the rest stays pending."""

    cost: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="Maximum cost, in the currency of the prices.", examples=[5]
    )
    tokens: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Maximum number of tokens, prompts and answers together.",
        examples=[1000000],
    )
    time: PositiveDuration | None = Field(
        default=None,
        description="How long the run may send. Requests in flight then have `timeouts.grace` to finish.",
        examples=["2h"],
    )
    failures: FailuresLimit | None = Field(
        default=None,
        description="How many requests may fail: a number, or a share such as `10%`, which counts after 20 "
        "results.",
        examples=["10%"],
    )


class OutputSpec(Spec):
    """The output file."""

    path: Text | None = Field(
        default=None,
        description="The output file. The default is `output/<name>.jsonl`.",
        examples=["../output/summaries.jsonl"],
    )
    order: Literal["completion", "input"] = Field(
        default="completion",
        description="The order of the lines after a run: by completion, or as in the job.",
        examples=["input"],
    )
    include: Annotated[list[Literal["messages"]], BeforeValidator(to_list)] = Field(
        default=[],
        description="What each line holds in addition: `messages` are the messages that were sent.",
        examples=[["messages"]],
    )
    on_change: Literal["keep", "replace", "refuse"] = Field(
        default="keep",
        description="What to do with the succeeded answer of a request that has changed: `keep` moves it to "
        "`<output>.superseded.jsonl`, `replace` drops it, `refuse` stops before anything is sent.",
        examples=["refuse"],
    )
