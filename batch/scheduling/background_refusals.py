"""Estimate how many requests a server refuses whatever the load.

Some gateways refuse a few requests in a hundred at random. Fewer requests in flight do not help against
that. The estimate counts only requests that were sent at a limit the server is known to bear: a refusal
there has another cause than the limit.
"""

from __future__ import annotations

from math import sqrt

MOST = 0.1
"""The largest share of requests that is taken for refused at random."""

PRESENT = 0.003
"""The share from which on random refusals are known to happen."""

MEMORY = 500
"""Requests after which an observation has lost most of its weight."""

EVIDENCE = 10
"""Requests without a refusal that the estimate starts from; or the limit, where that is more."""


class BackgroundRefusals:
    """Counts of requests and refusals, not all of them certain yet: see ``keep`` and ``drop``."""

    __slots__ = ("_new_refused", "_new_requests", "_refused", "_requests")

    def __init__(self) -> None:
        self._requests = self._refused = 0.0
        self._new_requests = self._new_refused = 0

    def share(self, limit: float) -> float:
        """Return the estimated share of requests, from 0 to ``MOST``.

        One refusal weighs less at a wide limit, where it is one of more requests.
        """
        return min(MOST, self._refused / (self._requests + max(EVIDENCE, limit)))

    def saw(self, *, refused: bool) -> None:
        """Count a request at a limit that the server is known to bear; ``keep`` or ``drop`` decides on it."""
        self._new_requests += 1
        self._new_refused += refused

    def keep(self) -> None:
        """Believe what was counted since the last decision: the refusals came one by one."""
        weight = max(0.0, 1 - self._new_requests / MEMORY)
        self._requests = self._requests * weight + self._new_requests
        self._refused = self._refused * weight + self._new_refused
        self.drop()

    def assume(self, requests: int) -> None:
        """Start from so many requests of which none was refused."""
        self._requests = float(min(requests, MEMORY))

    def drop(self) -> None:
        """Forget what was counted since the last decision: the server can bear less than it could."""
        self._new_requests = self._new_refused = 0


def burst(share: float, limit: float) -> float:
    """Return how many refusals close together ``share`` explains at ``limit``.

    That is the mean of a round and three standard deviations; and one, where refusals are known to happen.
    """
    mean = share * limit
    return (1 if share >= PRESENT else 0) + mean + 3 * sqrt(mean)
