"""Estimate how many requests a server refuses at any load.

Some gateways refuse a few percent of requests at random. A lower concurrency limit does not help against
that. The estimate counts only requests that were sent at a limit that the server is known to sustain: a
refusal there has another cause than the limit.
"""

from __future__ import annotations

from math import sqrt

MAX_SHARE = 0.1
"""Maximum share of requests that is attributed to random refusals."""

KNOWN_SHARE = 0.003
"""Share from which random refusals are considered known."""

MEMORY = 500
"""Requests after which an observation has lost most of its weight."""

EVIDENCE = 10
"""Requests without a refusal that the estimate starts from; the limit, if that is more."""


class BackgroundRefusals:
    """Counts of requests and refusals; recent ones are provisional until ``keep`` or ``drop``."""

    __slots__ = ("_new_refused", "_new_requests", "_refused", "_requests")

    def __init__(self) -> None:
        self._requests = self._refused = 0.0
        self._new_requests = self._new_refused = 0

    def share(self, limit: float) -> float:
        """Return the estimated share of requests, from 0 to ``MAX_SHARE``.

        One refusal weighs less at a high limit, where it is one of more requests.
        """
        return min(MAX_SHARE, self._refused / (self._requests + max(EVIDENCE, limit)))

    def count(self, *, refused: bool) -> None:
        """Count a request at a limit that the server can sustain; ``keep`` or ``drop`` decides on it."""
        self._new_requests += 1
        self._new_refused += refused

    def keep(self) -> None:
        """Accept what was counted since the last decision: the refusals arrived separately."""
        weight = max(0.0, 1 - self._new_requests / MEMORY)
        self._requests = self._requests * weight + self._new_requests
        self._refused = self._refused * weight + self._new_refused
        self.drop()

    def assume(self, requests: int) -> None:
        """Start from ``requests`` requests without a refusal."""
        self._requests = float(min(requests, MEMORY))

    def drop(self) -> None:
        """Discard what was counted since the last decision: the server's capacity has decreased."""
        self._new_requests = self._new_refused = 0


def burst(share: float, limit: float) -> float:
    """Return how many refusals in a row ``share`` explains at ``limit``.

    That is the mean of a round plus three standard deviations, plus one if refusals are known to happen.
    """
    mean = share * limit
    return (1 if share >= KNOWN_SHARE else 0) + mean + 3 * sqrt(mean)
