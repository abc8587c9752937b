"""Adaptive concurrency limit: discovers by probing how many requests an endpoint can serve at once.

``docs/concurrency.md`` has the rules. Terms: the *limit* is how many requests may be in flight; a *round* is
as many replies as the limit. A *congestion signal* is a failure that fewer requests at once could have
avoided. The *ceiling* is the last limit that was too high, the *plateau* is a little below it. A limit is
*proven* when a round succeeded at it, at or below the plateau.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.failure_codes import is_congestion
from batch.records import Reply
from batch.scheduling.baseline_refusals import KNOWN_SHARE, BackgroundRefusals, burst
from batch.scheduling.concurrency_limiter import Congestion

if TYPE_CHECKING:
    from batch.records import Failure, Outcome

START = 16
"""The limit at the start, if the job allows it: a short job should not have to wait for the slow start."""

MARGIN = 0.95
"""Factor by which a cut reduces the ceiling; growth stops below it at the same factor."""

DEEP_CUT = 0.7
"""Factor of a cut if the previous one has hardly helped."""

EFFECTIVE_AFTER = 10
"""Number of requests sent since the last cut from which the cut counts as effective."""

LARGEST_CUT = 0.5
"""Minimum factor that all signals of one round trip leave together."""

MIN_PROBE_INTERVAL = 10
"""The shortest probe interval, in replies."""

MAX_INTERVAL_FACTOR = 8
"""Maximum factor of a probe interval, when the same ceiling is met repeatedly."""

CLEAN_SHARE, CLEAN_BURST = 0.015, 0.01
"""Tolerated signals while none is known to be random: a share, and a burst per request of the limit."""

NOISY_SHARE = 0.1
"""Minimum tolerated share when some signals are known to be random."""

PROVEN_SHARE, PROVEN_BURST = 0.2, 3.0
"""Tolerated signals at a proven limit, where only a server that has lost capacity sends more."""

ALLOWANCE_AFTER_CUT = 0.5
"""Tolerated part of a signal just after a cut, while none is known to be random."""

SMOOTHING = 1 / 16
"""Weight of a reply in the moving average of the duration of an answer."""

OVERLOAD_STATUSES = frozenset({408, 429, 503, 504, 524, 529})
"""Statuses of an overloaded server."""


class AdaptiveLimiter:
    """The concurrency limit of one endpoint; ``limit`` is the limit of the job."""

    __slots__ = (
        "_allowance",
        "_background",
        "_ceiling",
        "_code",
        "_cut_at",
        "_floor",
        "_interval_factor",
        "_is_calm",
        "_is_quick",
        "_known_replies",
        "_limit",
        "_limited_seconds",
        "_limited_since",
        "_maximum",
        "_plateau",
        "_probe_interval",
        "_proven",
        "_replies",
        "_round_at",
        "_round_limit",
        "_round_replies",
        "_seconds",
        "_sent",
    )

    def __init__(self, limit: int, *, start: int = START) -> None:
        self._maximum = limit
        self._limit = float(min(start, limit))
        self._ceiling = self._plateau = 0.0  # 0: none is known
        self._proven = 1.0
        self._floor = 1.0
        self._cut_at = float("-inf")
        self._replies = 0  # to requests sent since the last cut
        self._probe_interval = 0.0  # number of replies until the ceiling is probed
        self._interval_factor = 1
        self._sent = 0  # since the last cut
        self._seconds = 0.0  # average duration of an answer; 0: unknown
        self._is_quick = True  # the last signal arrived no later than an answer would have
        self._background = BackgroundRefusals()
        self._allowance = 0.0  # number of signals that are tolerated now
        self._is_calm = True  # no signal has ever arrived: nothing has to be weighed
        self._known_replies = 0  # counted while calm, at proven limits
        self._begin_round(float("-inf"))
        self._code: str | None = None
        self._limited_since: float | None = None
        self._limited_seconds = 0.0

    @property
    def limit(self) -> int:
        """The limit of the job."""
        return self._maximum

    def congestion(self, now: float) -> Congestion | None:
        """Return the last signal that lowered the limit, and for how long signals have lowered it."""
        if self._code is None:
            return None
        since = now if self._limited_since is None else self._limited_since
        return Congestion(self._code, self._limited_seconds + now - since, self._limited_since is not None)

    def slots(self, now: float) -> int:  # noqa: ARG002 - time alone changes nothing
        """Return how many requests may be in flight."""
        return int(self._limit)

    def sent(self, now: float) -> None:  # noqa: ARG002
        """Record that an attempt begins."""
        self._sent += 1
        if not self._is_calm:
            self._allowance = min(self._burst(), self._allowance + self._share())

    def settled(self, outcome: Outcome, *, started: float, now: float, in_flight: int) -> None:
        """Learn from an attempt that began at ``started``; ``in_flight`` includes it."""
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
        """Count a reply while no signal has ever arrived, which is the common case, in one step."""
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
        """Compute what was not weighed before the first signal."""
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
            self._background.count(refused=False)
            if self._allowance >= self._burst():
                self._background.keep()
        if self._limit < self._maximum and in_flight >= int(self._limit):
            self._grow()
            if self._limit == self._maximum:
                self._end_limitation(now)

    def _prove(self, started: float, now: float) -> None:
        """Count a reply of the round; a complete round proves its limit."""
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
        """Raise the limit by one reply's part of a round: up to the plateau, and beyond it to probe."""
        limit, plateau = self._limit, self._plateau
        if limit < plateau:
            self._limit = min(plateau, limit + min(1.0, max(1.0, (plateau - limit) / 2) / limit))
        elif self._replies >= self._probe_interval:
            self._limit = min(self._maximum, limit + min(1.0, max(1.0, limit - plateau) / limit))

    def _end_limitation(self, now: float) -> None:
        if self._limited_since is not None:
            self._limited_seconds += now - self._limited_since
            self._limited_since = None

    # Congestion signals

    def _is_known(self) -> bool:
        """Whether a signal does not concern this limit: the limit is proven, and refusals arrive quickly."""
        return self._is_quick and int(self._limit) <= self._proven

    def _share(self) -> float:
        """Return the allowance that a request adds."""
        if not self._is_quick:
            return CLEAN_SHARE
        if self._is_known():
            return PROVEN_SHARE
        share = self._background.share(self._limit)
        return max(NOISY_SHARE, 2 * share) if share >= KNOWN_SHARE else CLEAN_SHARE

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
            self._background.count(refused=True)
        self._allowance = min(self._burst(), self._allowance) - 1
        if self._allowance < 0:
            self._code = failure.code
            self._limited_since = now if self._limited_since is None else self._limited_since
            self._cut(now, tried)

    def _cut(self, now: float, tried: float) -> None:
        # a single request cannot be reduced; its refusal does not show that two are too many
        is_repeated = tried > 1 and self._plateau < self._limit <= self._ceiling * 1.1 + 1
        self._interval_factor = min(MAX_INTERVAL_FACTOR, self._interval_factor * 2) if is_repeated else 1
        self._cut_at = now
        self._floor = max(1.0, tried * LARGEST_CUT)
        self._limit = max(1.0, tried * (MARGIN if self._sent >= EFFECTIVE_AFTER else DEEP_CUT))
        self._replies = self._sent = 0
        self._background.drop()
        self._remember(tried, now)
        is_noisy = self._background.share(self._limit) >= KNOWN_SHARE
        self._allowance = self._burst() if is_noisy else ALLOWANCE_AFTER_CUT

    def _cut_further(self, now: float) -> None:
        """Lower the limit by one more: another signal of the round trip of the last cut."""
        ceiling = max(self._floor, self._ceiling - 1)
        self._limit = max(self._floor, min(self._limit, ceiling - 1))
        self._remember(ceiling, now)

    def _remember(self, ceiling: float, now: float) -> None:
        self._ceiling = ceiling
        self._plateau = MARGIN * ceiling
        self._proven = max(1.0, self._plateau)
        self._probe_interval = max(MIN_PROBE_INTERVAL, self._plateau) * self._interval_factor
        self._begin_round(now)


def shows_overload(failure: Failure) -> bool:
    """Whether a lower concurrency would have helped. Retrying is a separate question.

    It does not help with a quota, nor with a rate limit if the server reports that nothing of it is left.
    """
    by_code = is_congestion(failure.code)
    if by_code is False or (failure.rate is not None and failure.rate.remaining <= 0):
        return False
    return by_code or failure.http_status in OVERLOAD_STATUSES or failure.overloaded
