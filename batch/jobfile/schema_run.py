"""How a job is run and where its results go, as it is written."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from batch.jobfile.schema_types import Duration, FailuresLimit, PositiveDuration, Spec, Text, to_list


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


class FinishReasonsSpec(Spec):
    """A server's own words for why an answer has ended, added to those that are known."""

    complete: Annotated[list[Text], BeforeValidator(to_list)] = Field(
        default=[], description="Words that say that an answer is whole."
    )
    length: Annotated[list[Text], BeforeValidator(to_list)] = Field(
        default=[], description="Words that say that an answer was cut off at its limit of tokens."
    )


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
    include: Annotated[list[Literal["messages"]], BeforeValidator(to_list)] = Field(
        default=[], description="What each line holds besides the answer: `messages`, those that were sent."
    )
    on_change: Literal["keep", "replace", "refuse"] = Field(
        default="keep",
        description="What happens to the succeeded answer of a request that has changed: it moves to "
        "<output>.superseded.jsonl (`keep`), it is dropped (`replace`), or nothing is sent (`refuse`).",
    )
