"""A simulated server with a fixed capacity, and a client that always has requests to send.

Both live in virtual time, which is an argument: eleven minutes of hundreds of streams take about a second.
"""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batch.records import Failure, Reply, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

    from batch.records import Outcome
    from batch.scheduling.concurrency_limiter import ConcurrencyLimiter

REPLY = Reply("fine", Verdict.COMPLETE, "stop")
REFUSAL = Failure("http_429", "too many requests", http_status=429)
ERROR = Failure("http_500", "oops", http_status=500)
CUT = Failure("truncated", "cut", first_byte=0.2)
ERRORS_AND_CUTS = ((0.04, 0.05, ERROR), (0.02, 1.0, CUT))
"""Four requests in a hundred meet a 500 at once, and two are cut in the middle of the answer."""


def gradual(load: float) -> float:
    """Slower long before the capacity, but never so much that more at once would not get more done."""
    return 1 + load**4 / 3


def knee(load: float) -> float:
    """As fast as alone up to four fifths of the capacity; beyond that more at once gets no more done."""
    return max(1.0, load / 0.8)


def thrashing(load: float) -> float:
    """So much slower near the capacity that less at once would get more done."""
    return 1 + load**8 / 2


class SimulatedServer:
    """Answers 429 at once above its capacity, and ever more slowly near it.

    ``capacity`` is a number for each time. Alone, a reply takes ``seconds`` on average, with a log-normal
    ``spread``; ``slowdown`` says how much longer at a load from 0 to 1. A refusal takes ``refusal_seconds``.
    ``noise`` is the share of requests that are refused whatever the load. ``faults`` are other failures that
    have nothing to do with it: for each its share, how long it takes, and what it is.
    """

    def __init__(
        self,
        capacity: Callable[[float], int],
        random: Random,
        *,
        seconds: float = 2.0,
        spread: float = 0.5,
        slowdown: Callable[[float], float] = gradual,
        refusal_seconds: float = 0.05,
        refusal: Failure = REFUSAL,
        noise: float = 0.0,
        faults: Sequence[tuple[float, float, Failure]] = (),
    ) -> None:
        self._capacity = capacity
        self._random = random
        self._scale = seconds / math.exp(spread**2 / 2)
        self._spread = spread
        self._slowdown = slowdown
        self._refusal: tuple[float, Outcome] = (refusal_seconds, refusal)
        self._noise = noise
        self._faults = faults
        self._busy_until: list[float] = []

    def answer(self, now: float) -> tuple[float, Outcome]:
        """Return the duration and the kind of the answer to a request that arrives now."""
        busy = self._busy_until
        while busy and busy[0] <= now:
            heapq.heappop(busy)
        capacity = self._capacity(now)
        if len(busy) >= capacity or (self._noise and self._random.random() < self._noise):
            return self._refusal
        fault = self._fault() if self._faults else None
        if fault is not None:
            heapq.heappush(busy, now + fault[0])
            return fault
        seconds = self._scale * math.exp(self._random.gauss(0, self._spread))
        seconds *= self._slowdown((len(busy) + 1) / capacity)
        heapq.heappush(busy, now + seconds)
        return seconds, REPLY

    def _fault(self) -> tuple[float, Outcome] | None:
        chance = self._random.random()
        for share, seconds, failure in self._faults:
            if chance < share:
                return seconds, failure
            chance -= share
        return None


@dataclass(slots=True)
class Trace:
    """For each second: replies, refusals, and the slots at its end."""

    replies: list[int] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)

    def throughput(self, begin: int, end: int) -> float:
        """Replies a second between two times."""
        return sum(self.replies[begin:end]) / (end - begin)

    def refused(self, begin: int, end: int) -> float:
        """The share of answers that were refusals."""
        refusals = sum(self.refusals[begin:end])
        return refusals / max(1, refusals + sum(self.replies[begin:end]))


def simulate(server: SimulatedServer, capacity: ConcurrencyLimiter, seconds: int) -> Trace:
    """Send whenever a slot is free, for a number of seconds."""
    trace = Trace()
    under_way: list[tuple[float, int, float, Outcome]] = []
    numbers = itertools.count()
    for now in _moments(under_way, trace, capacity, seconds):
        while len(under_way) < capacity.slots(now):
            capacity.sent(now)
            takes, outcome = server.answer(now)
            heapq.heappush(under_way, (now + takes, next(numbers), now, outcome))
    return trace


def _moments(
    under_way: list[tuple[float, int, float, Outcome]],
    trace: Trace,
    capacity: ConcurrencyLimiter,
    seconds: int,
) -> Iterator[float]:
    """The start, and each time at which an attempt has ended and was settled."""
    yield 0.0
    for second in range(1, seconds + 1):
        replies = refusals = 0
        while under_way and under_way[0][0] < second:
            now, _, started, outcome = under_way[0]
            capacity.settled(outcome, started=started, now=now, in_flight=len(under_way))
            heapq.heappop(under_way)
            replies += isinstance(outcome, Reply)
            refusals += isinstance(outcome, Failure)
            yield now
        trace.replies.append(replies)
        trace.refusals.append(refusals)
        trace.slots.append(capacity.slots(second))


def steady(capacity: int) -> Callable[[float], int]:
    """A capacity that stays what it is."""
    return lambda now: capacity


def changing(before: int, after: int, at: float) -> Callable[[float], int]:
    """A capacity that changes once."""
    return lambda now: before if now < at else after
