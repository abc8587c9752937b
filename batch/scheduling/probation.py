"""Limits on failures of an endpoint that has never answered, before it is parked or its circuit opens.

One request at a time is sent. Two server errors or timeouts open the circuit. Five equal rejections, or eight
failures of any kind without proof, park the endpoint.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from batch.scheduling.fault_attribution import SUSPECT, Kind

if TYPE_CHECKING:
    from batch.records import Failure
    from batch.scheduling.suspect_requests import Suspects

ERRORS = 2
REJECTIONS = 5
REQUESTS = 8

_CHECK = ""
"""The id of the reference request in the sets of request ids."""


class Verdict(Enum):
    """The next step for the endpoint."""

    CONTINUE = auto()
    OPEN = auto()
    PARK = auto()


class Probation:
    """Counts failures of different requests; a request that fails twice counts once.

    ``is_checked``: a reference request of an earlier run has been sent.
    """

    def __init__(self) -> None:
        self.is_checked = False
        self._is_in_doubt = False
        self._requests: set[str] = set()
        self._errors: set[str] = set()

    @property
    def wants_check(self) -> bool:
        """Whether a request that is known to work would show what causes the failures.

        Rejections need none: fewer than five are caused by the requests, and any further request shows as
        much.
        """
        return self._is_in_doubt and not self.is_checked

    def failed(self, request_id: str, failure: Failure, kind: Kind) -> None:
        """Count the failure of a request. An invalid request, such as a too long one, does not count."""
        if not failure.about_request:
            self._requests.add(request_id)
        if kind is Kind.TROUBLE:
            self._errors.add(request_id)
        self._is_in_doubt = self._is_in_doubt or kind in SUSPECT

    def check_failed(self, failure: Failure, kind: Kind) -> None:
        """Count the failure of the reference request."""
        self.failed(_CHECK, failure, Kind.TROUBLE if kind is Kind.REFUSED else kind)

    def forget_errors(self) -> None:
        """Forget server errors: the circuit is open because of them."""
        self._errors.clear()

    def clear(self) -> None:
        """Forget all failures: the endpoint has answered."""
        self._requests.clear()
        self._errors.clear()
        self._is_in_doubt = False

    def verdict(self, suspects: Suspects) -> Verdict:
        """Return the verdict on the failures so far."""
        if len(self._errors) >= ERRORS:
            return Verdict.OPEN
        if suspects.equal_rejections >= REJECTIONS or len(self._requests) >= REQUESTS:
            return Verdict.PARK
        return Verdict.CONTINUE
