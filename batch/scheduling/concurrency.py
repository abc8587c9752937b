"""Find how many requests an endpoint can serve at once, by probing. ``docs/concurrency.md`` has the rules.

Words: the *limit* is how many requests may be in flight; a *round* is as many replies as that. A
*congestion signal* is a failure that fewer requests at once could have avoided. The *ceiling* is the last
limit that was too much, the *plateau* is a little below it. A limit is *proven* when a round went through
at it, and at or below the plateau.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.records import Reply
from batch.scheduling.background_refusals import PRESENT, BackgroundRefusals, burst
from batch.scheduling.concurrency_limiter import Congestion
from batch.scheduling.retry import shows_overload

if TYPE_CHECKING:
    from batch.records import Failure, Outcome

START = 16
"""The limit at the start, where the job allows it: a short job should not have to wait for the slow start."""

MARGIN = 0.95
"""What a cut leaves of the ceiling, and where growth stops below it."""

DEEP = 0.7
"""What a cut leaves where the last one has hardly helped."""

UNHARMED = 10
"""Requests sent since the last cut, from which on it has helped."""

HALF = 0.5
"""What the signals of one round trip leave, at the least."""

REST = 10
"""The shortest probe interval, in replies."""

MOST_RESTS = 8
"""How many times as long a probe interval becomes, when the same ceiling is met again and again."""

CLEAN_SHARE, CLEAN_BURST = 0.015, 0.01
"""Signals that are tolerated while none is known to be random: a share, a burst per request of the limit."""

NOISY_SHARE = 0.1
"""The share that is tolerated, at the least, when some signals are known to be random."""

PROVEN_SHARE, PROVEN_BURST = 0.2, 3.0
"""Signals that are tolerated at a proven limit, where only a server that has lost capacity has more."""

WARNED = 0.5
"""The part of a signal that is tolerated just after a cut, while none is known to be random."""

SMOOTHING = 1 / 16
"""The weight of a reply in the average time that an answer takes."""


class AdaptiveLimiter:
    """The concurrency limit of one endpoint; ``limit`` is the job's own."""

    __slots__ = (
        "_allowance",
        "_background",
        "_ceiling",
        "_code",
        "_cut_at",
        "_floor",
        "_held_seconds",
        "_held_since",
        "_is_calm",
        "_is_quick",
        "_known_replies",
        "_limit",
        "_maximum",
        "_plateau",
        "_proven",
        "_replies",
        "_rest",
        "_rests",
        "_round_at",
        "_round_limit",
        "_round_replies",
        "_seconds",
        "_sent",
    )

    def __init__(self, limit: int, *, start: int = START) -> None:
        self._maximum = limit
        self._limit = float(min(start, limit))
        self._ceiling = self._plateau = 0.0  # 0: none has been met
        self._proven = 1.0
        self._floor = 1.0
        self._cut_at = float("-inf")
        self._replies = 0  # to requests sent since the last cut
        self._rest = 0.0  # that many replies until the ceiling is probed
        self._rests = 1
        self._sent = 0  # since the last cut
        self._seconds = 0.0  # that an answer takes on average; 0: unknown
        self._is_quick = True  # the last signal came no later than an answer would have
        self._background = BackgroundRefusals()
        self._allowance = 0.0  # signals that are tolerated now
        self._is_calm = True  # no signal has ever come: nothing has to be weighed
        self._known_replies = 0  # while calm, at limits that are proven
        self._begin_round(float("-inf"))
        self._code: str | None = None
        self._held_since: float | None = None
        self._held_seconds = 0.0

    @property
    def limit(self) -> int:
        """The job's own limit."""
        return self._maximum

    def congestion(self, now: float) -> Congestion | None:
        """Return the last signal that has lowered the limit, and for how long signals have."""
        if self._code is None:
            return None
        since = now if self._held_since is None else self._held_since
        return Congestion(self._code, self._held_seconds + now - since, self._held_since is not None)

    def slots(self, now: float) -> int:  # noqa: ARG002 - time alone changes nothing
        """Return how many requests may be in flight."""
        return int(self._limit)

    def sent(self, now: float) -> None:  # noqa: ARG002
        """Record that an attempt begins."""
        self._sent += 1
        if not self._is_calm:
            self._allowance = min(self._burst(), self._allowance + self._share())

    def settled(self, outcome: Outcome, *, started: float, now: float, in_flight: int) -> None:
        """Learn from an attempt that began at ``started``; ``in_flight`` were under way, itself included."""
        if isinstance(outcome, Reply) and self._is_calm:
            self._replied_calmly(started, now, in_flight)
            return
        is_new = started > self._cut_at
        if isinstance(outcome, Reply):
            self._replied(now - started)
            self._prove(started, now)
            if is_new:
                self._count_reply(now, in_flight)
        elif shows_overload(outcome):
            if self._is_calm:
                self._end_calm()
            self._is_quick = now - started <= self._seconds
            if is_new:
                self._signal(outcome, now, min(in_flight, self._limit))
            elif self._replies < self._ceiling:
                self._cut_further(now)

    # Replies

    def _replied_calmly(self, started: float, now: float, in_flight: int) -> None:
        """Count a reply while no signal has ever come, which is most of them: in one step."""
        seconds = now - started
        self._seconds += (seconds - self._seconds) * SMOOTHING if self._seconds else seconds
        self._replies += 1
        if started > self._round_at:
            self._round_replies += 1
            if self._round_replies >= self._round_limit:
                self._proven = max(self._proven, self._round_limit)
                self._begin_round(now)
        if self._limit <= self._proven:
            self._known_replies += 1
        if self._limit < self._maximum and in_flight >= int(self._limit):
            self._grow()

    def _end_calm(self) -> None:
        """Catch up on what was not weighed before the first signal."""
        self._is_calm = False
        self._background.assume(self._known_replies)
        self._allowance = self._burst()
        if not self._is_known():
            self._allowance = min(self._allowance, self._sent * self._share())

    def _replied(self, seconds: float) -> None:
        self._seconds += (seconds - self._seconds) * SMOOTHING if self._seconds else seconds

    def _count_reply(self, now: float, in_flight: int) -> None:
        self._replies += 1
        if self._is_known():
            self._background.saw(refused=False)
            if self._allowance >= self._burst():
                self._background.keep()
        if self._limit < self._maximum and in_flight >= int(self._limit):
            self._grow()
            if self._limit == self._maximum:
                self._released(now)

    def _prove(self, started: float, now: float) -> None:
        """Count a reply of the round; when the round is complete, its limit is proven."""
        if started <= self._round_at:
            return
        self._round_replies += 1
        if self._round_replies >= self._round_limit:
            self._proven = max(self._proven, self._round_limit)
            self._begin_round(now)
            if self._is_known():
                self._allowance = self._burst()

    def _begin_round(self, now: float) -> None:
        self._round_at, self._round_limit, self._round_replies = now, self._limit, 0

    def _grow(self) -> None:
        """Raise the limit by one reply's part of a round: to the plateau, and when it is time beyond it."""
        limit, plateau = self._limit, self._plateau
        if limit < plateau:
            self._limit = min(plateau, limit + min(1.0, max(1.0, (plateau - limit) / 2) / limit))
        elif self._replies >= self._rest:
            self._limit = min(self._maximum, limit + min(1.0, max(1.0, limit - plateau) / limit))

    def _released(self, now: float) -> None:
        if self._held_since is not None:
            self._held_seconds += now - self._held_since
            self._held_since = None

    # Congestion signals

    def _is_known(self) -> bool:
        """Whether a signal says nothing about this limit: it is proven, and refusals come quickly."""
        return self._is_quick and int(self._limit) <= self._proven

    def _share(self) -> float:
        """Return the allowance that a request adds."""
        if not self._is_quick:
            return CLEAN_SHARE
        if self._is_known():
            return PROVEN_SHARE
        share = self._background.share(self._limit)
        return max(NOISY_SHARE, 2 * share) if share >= PRESENT else CLEAN_SHARE

    def _burst(self) -> float:
        """Return the largest allowance."""
        least = CLEAN_BURST * self._limit
        if not self._is_quick:
            return least
        if self._is_known():
            least = max(least, PROVEN_BURST)
        return max(least, burst(self._background.share(self._limit), self._limit))

    def _signal(self, failure: Failure, now: float, tried: float) -> None:
        """Cut, unless random refusals explain the signal."""
        if self._is_known():
            self._background.saw(refused=True)
        self._allowance = min(self._burst(), self._allowance) - 1
        if self._allowance < 0:
            self._code = failure.code
            self._held_since = now if self._held_since is None else self._held_since
            self._cut(now, tried)

    def _cut(self, now: float, tried: float) -> None:
        # one request alone could not have been fewer: that says nothing of whether two are too many
        again = tried > 1 and self._plateau < self._limit <= self._ceiling * 1.1 + 1
        self._rests = min(MOST_RESTS, self._rests * 2) if again else 1
        self._cut_at = now
        self._floor = max(1.0, tried * HALF)
        self._limit = max(1.0, tried * (MARGIN if self._sent >= UNHARMED else DEEP))
        self._replies = self._sent = 0
        self._background.drop()
        self._remember(tried, now)
        is_noisy = self._background.share(self._limit) >= PRESENT
        self._allowance = self._burst() if is_noisy else WARNED

    def _cut_further(self, now: float) -> None:
        """Take one more away: a signal of the last cut's round trip."""
        ceiling = max(self._floor, self._ceiling - 1)
        self._limit = max(self._floor, min(self._limit, ceiling - 1))
        self._remember(ceiling, now)

    def _remember(self, ceiling: float, now: float) -> None:
        self._ceiling = ceiling
        self._plateau = MARGIN * ceiling
        self._proven = max(1.0, self._plateau)
        self._rest = max(REST, self._plateau) * self._rests
        self._begin_round(now)
