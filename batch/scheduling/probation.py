"""What an endpoint that has never answered may cost, before it is parked or taken for one that is down.

One request at a time is sent. Two with server errors or timeouts open the circuit. Five with the same
rejection, or eight of any kind without proof, park the endpoint.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from batch.scheduling.fault_attribution import SUSPECT, Kind

if TYPE_CHECKING:
    from batch.records import Failure
    from batch.scheduling.suspects import Suspects

ERRORS = 2
REJECTIONS = 5
REQUESTS = 8

_CHECK = ""
"""Stands for the reference request among the ids of the job's."""


class Verdict(Enum):
    """What is to be done about the endpoint."""

    GO_ON = auto()
    OPEN = auto()
    PARK = auto()


class Probation:
    """Counts different requests; the same one that fails twice says nothing new.

    ``is_checked``: a reference request that an earlier run has left has been sent.
    """

    def __init__(self) -> None:
        self.is_checked = False
        self._is_in_doubt = False
        self._requests: set[str] = set()
        self._errors: set[str] = set()

    @property
    def wants_check(self) -> bool:
        """Whether a request that is known to work would tell whose fault the failures are.

        Rejections need none: fewer than five are the requests' own, and any further request tells as much.
        """
        return self._is_in_doubt and not self.is_checked

    def failed(self, request_id: str, failure: Failure, kind: Kind) -> None:
        """A request has failed. One that is wrong by itself, such as too long, says nothing."""
        if not failure.about_request:
            self._requests.add(request_id)
        if kind is Kind.TROUBLE:
            self._errors.add(request_id)
        self._is_in_doubt = self._is_in_doubt or kind in SUSPECT

    def check_failed(self, failure: Failure, kind: Kind) -> None:
        """The reference request has failed."""
        self.failed(_CHECK, failure, Kind.TROUBLE if kind is Kind.REFUSED else kind)

    def forget_errors(self) -> None:
        """The circuit is open: errors are what it is open for."""
        self._errors.clear()

    def clear(self) -> None:
        """The endpoint has answered."""
        self._requests.clear()
        self._errors.clear()
        self._is_in_doubt = False

    def verdict(self, suspects: Suspects) -> Verdict:
        """What follows from the failures so far."""
        if len(self._errors) >= ERRORS:
            return Verdict.OPEN
        if suspects.equal_rejections >= REJECTIONS or len(self._requests) >= REQUESTS:
            return Verdict.PARK
        return Verdict.GO_ON
