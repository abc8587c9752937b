"""The error codes as ``docs/error_codes.md`` shows them, from the table of ``batch.failure_codes``.

Whether a code is retried and billed is what the policies decide about it, not what the table says of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from batch.failure_codes import ANSWERS, HTTP_429, LOCAL, NETWORK, OTHER, QUOTA, STATUSES
from batch.failure_traits import Retried
from batch.records import Failure
from batch.scheduling.quota import was_free
from batch.scheduling.retry import Fail, Parking, Retry, RetryPolicy, decide

if TYPE_CHECKING:
    from batch.failure_traits import FailureCode

PATIENT = RetryPolicy(max_attempts=4, validation_retries=2)
"""Enough attempts to tell one retry from several."""

STATUS_OF = {
    "auth": 401,
    "payment_required": 402,
    "forbidden": 403,
    QUOTA: 429,
    "bad_request": 400,
    "redirect": 302,
    HTTP_429: 429,
    OTHER.name: 500,
}
"""A status that leads to the code."""

BESIDE_THE_POLICY = {Retried.UNCHARGED: "yes, not counted", Retried.NOT_SENT: "never sent"}
"""Where no retry policy decides about a request."""


class Code(Struct, frozen=True):
    """One code of ``error.code``, and what follows from it."""

    code: FailureCode

    @property
    def name(self) -> str:
        """The code itself."""
        return self.code.name

    @property
    def meaning(self) -> str:
        """What it means."""
        return self.code.meaning

    def failure(self) -> Failure:
        """A failure with this code, as it occurs most often."""
        return Failure(self.name, "", http_status=STATUS_OF.get(self.name))

    def when_retried(self) -> str:
        """Whether the runner sends the request again in the same run."""
        return BESIDE_THE_POLICY.get(self.code.retried) or _retried(self.failure())

    def when_billed(self) -> str:
        """Whether ``limits.cost`` and ``limits.tokens`` count an attempt whose server reports no usage."""
        is_free = was_free(self.failure())
        return "no" if is_free else "yes"


def _retried(failure: Failure) -> str:
    first = decide(PATIENT, failure, 0.0, lambda: 0.0)
    if isinstance(first, Parking):
        return "endpoint parked"
    if isinstance(first, Fail):
        return "no"
    second = decide(PATIENT, failure, 0.0, lambda: 0.0, earlier=[failure.code])
    return "yes" if isinstance(second, Retry) else "once"


CODES = {
    title: tuple(Code(each) for each in group)
    for title, group in (
        ("Network", NETWORK),
        ("HTTP status", STATUSES),
        ("Answer", ANSWERS),
        ("This machine", LOCAL),
    )
}
