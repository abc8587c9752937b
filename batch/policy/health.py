"""Whether one endpoint is fit to be asked, and by how many at once.

It is *unproven* until it has given an answer that only a working one gives; so long one request, the
pilot, goes alone. It is *out* while it seems to be down: then one probe at a time goes through, and neither
the failures that showed the outage nor the probes are charged to a request. It is *held* when asking on
makes no sense, for a time or for the whole run.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batch.policy.announced import Announced
from batch.policy.retry import (
    EXIT_OUT,
    HOLD,
    Hold,
    Retry,
    RetryPolicy,
    backoff,
    not_before,
    shows_a_working_endpoint,
    shows_an_outage,
    shows_no_recovery,
    speaks_against_the_address,
    speaks_of_another_server,
)
from batch.policy.work import Again, Out

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.policy.capacity import Capacity
    from batch.policy.work import Work
    from batch.records import Failure, Reply

OUTAGE_STREAK = 10
"""Requests in a row that must fail on the server's side before the endpoint counts as out."""

REFUSED_STREAK = 2
"""The same for connections that are refused: one alone among successes is nothing."""

PROBE_PAUSE = 0.1
"""Seconds between two probes, at the least."""


class Health:
    """The state machine of one endpoint. Every method takes the time in seconds; none asks for it.

    ``limit`` bounds what ``capacity`` allows. ``outage`` is for how many seconds an endpoint that is out is
    probed before it is held.
    """

    def __init__(
        self,
        name: str,
        *,
        limit: int,
        capacity: Capacity,
        policy: RetryPolicy,
        outage: float,
        random: Callable[[], float],
    ) -> None:
        self.name = name
        self.in_flight = 0
        self.proven = False
        self.out_since: float | None = None
        self.out_code = ""
        self.held: Hold | None = None
        self._limit = self._ceiling = limit
        self._capacity = capacity
        self._announced = Announced()
        self._policy = policy
        self._outage = outage
        self._random = random
        self._probe_at = 0.0
        self._probes = 0
        self._probe: Work | None = None
        self._strange = False
        self._second_chance = False
        self._streak: list[tuple[Work, str]] = []

    @property
    def capacity(self) -> Capacity:
        """Its concurrency limit, as far as congestion decides it."""
        return self._capacity

    @property
    def stopped(self) -> bool:
        """Whether nothing more is sent there in this run."""
        return self.held is not None and self.held.until is None

    @property
    def probed_until(self) -> float:
        """When probing ends, while it is out."""
        return math.inf if self.out_since is None else self.out_since + self._outage

    @property
    def doubted(self) -> bool:
        """Whether its pilot has met something strange: no other request should, until that is cleared up."""
        return self._strange and not (self.proven or self.stopped or self._second_chance)

    def slots(self, now: float) -> int:
        """How many may be under way there."""
        if not self.proven or self.out_since is not None:
            return 1
        return min(self._ceiling, self._capacity.slots(now))

    def is_open(self, now: float) -> bool:
        """Whether it may be asked now; a hold that has run out ends here."""
        if self.held is not None:
            if self.held.until is None or now < self.held.until:
                return False
            self.held = None
        if now < self._announced.closed_until or (self.out_since is not None and now < self._probe_at):
            return False
        return self.in_flight < self.slots(now)

    def due(self, now: float) -> float | None:
        """When it may be asked, if no outcome comes before; ``None``: only an outcome can change that."""
        if self.held is not None:
            return None if self.held.until is None else max(now, self.held.until)
        if self.in_flight >= self.slots(now):
            return None
        soonest = max(now, self._announced.closed_until)
        return soonest if self.out_since is None else max(soonest, self._probe_at)

    def sent(self, work: Work, now: float) -> None:
        """An attempt begins there."""
        self.in_flight += 1
        self._capacity.sent(now)
        self._announced.sent(now)
        if self.out_since is not None:
            self._probe = work

    def worked(self, work: Work, reply: Reply, now: float) -> None:
        """A success: the endpoint is proven, and a lowered ceiling rises by one; from one after an outage."""
        self._ended(work, reply, now)
        if self.out_since is None:
            self._ceiling = min(self._limit, self._ceiling + 1)
        self._reopen()
        if self._streak:
            self._streak.clear()

    def failed(self, work: Work, failure: Failure, now: float) -> Retry | Out | Hold | Again | None:
        """Take a failure in. ``None``: it is the request's own, to be decided by the table of retries.

        Anything else: the endpoint or this machine is to blame, and the request is charged nothing.
        """
        self._ended(work, failure, now)
        self._strange = not self.proven and speaks_of_another_server(failure)
        if self.out_since is not None and work is self._probe:
            self._probe_later(now)
        if failure.code == "fd_limit" and self.in_flight:
            return self._with_fewer_connections(now)
        if self.out_since is not None and self._is_still_out(work, failure):
            return self._go_on_probing(work, failure, now)
        if shows_an_outage(failure):
            if not self._completes_streak(work, failure):
                return None
            self._go_out(failure.code, now)
            return self._leave_alone(failure, now) or Out(failure.code, failure.message, self.probed_until)
        self._streak.clear()
        if shows_a_working_endpoint(failure) and not self._is_old_news(work):
            self._reopen()
        return None

    def hold(self, hold: Hold) -> Hold | Again:
        """Park the endpoint; a hold that changes nothing for a person to know is not said again."""
        before = self.held
        if hold.until is None:
            self._streak.clear()
        if before is None or hold.until is None:
            self.held = hold
        elif before.until is not None:
            self.held = replace(before, until=max(before.until, hold.until))
        return hold if before is None or (before.until is not None and hold.until is None) else Again()

    def give_another_chance(self, now: float) -> None:
        """Probe it after all if it is held for what its pilot met, and not for longer than any outage."""
        if self.held is None or not self.stopped or self.proven or self._second_chance:
            return
        if self.held.code not in HOLD and self.held.exit_code != EXIT_OUT:
            self._second_chance = True
            self._go_out(self.held.code, now)
            self.held = None

    def _ended(self, work: Work, outcome: Reply | Failure, now: float) -> None:
        self._capacity.settled(outcome, started=work.sent_at, now=now, in_flight=self.in_flight)
        if outcome.rate is not None:
            self._announced.told(outcome.rate, now=now, in_flight=self.in_flight)
        self.in_flight -= 1

    def _reopen(self) -> None:
        """The endpoint answers: after an outage it starts again from one slot."""
        self.proven = True
        self._second_chance = False
        if self.out_since is not None:
            self.out_since = None
            self._ceiling = 1
            self._probes = 0

    def _with_fewer_connections(self, now: float) -> Retry:
        """Our own descriptors ran out: what is under way is what this machine can bear."""
        self._ceiling = max(1, self.in_flight)
        return Retry(now + self._policy.base)

    def _completes_streak(self, work: Work, failure: Failure) -> bool:
        """Count a failure that speaks for an outage, and say whether that leaves no doubt."""
        self._streak.append((work, failure.code))
        requests = len({work.request.id for work, _ in self._streak})
        if failure.code == "fd_limit":
            return True  # with nothing else under way here, fewer connections would not help
        if failure.code != "connect":
            return requests >= OUTAGE_STREAK
        return self.proven and (not self.in_flight or requests >= REFUSED_STREAK)

    def _is_old_news(self, work: Work) -> bool:
        """Whether an attempt began before the outage: its first byte may have come before it, too."""
        return self.out_since is not None and work.sent_at < self.out_since

    def _is_still_out(self, work: Work, failure: Failure) -> bool:
        """Whether a failure while it is out changes nothing; a probe has more to show than others."""
        if shows_an_outage(failure):
            return True
        if self._second_chance and (self._strange or speaks_against_the_address(failure)):
            return True
        return work is self._probe and self.proven and shows_no_recovery(failure)

    def _go_on_probing(self, work: Work, failure: Failure, now: float) -> Hold | Again:
        if work is self._probe and now >= self.probed_until:
            return self.hold(Hold(failure.code, failure.message, exit_code=EXIT_OUT))
        return self._leave_alone(failure, now) or Again()

    def _leave_alone(self, failure: Failure, now: float) -> Hold | Again | None:
        """Probe no earlier than the server wishes; if that is beyond the end of probing, not at all."""
        if failure.retry_after is None:
            return None
        if now + failure.retry_after > self.probed_until:
            return self.hold(Hold(failure.code, failure.message, exit_code=EXIT_OUT))
        self._probe_at = max(self._probe_at, not_before(failure.retry_after, now, self._random))
        return None

    def _go_out(self, code: str, now: float) -> None:
        """Take back what the streak was charged; the last of it has not been charged yet."""
        self.out_since, self.out_code = now, code
        for work, charged in self._streak[:-1]:
            work.failures.remove(charged)
        self._streak.clear()
        self._probe_later(now)

    def _probe_later(self, now: float) -> None:
        self._probe_at = now + max(PROBE_PAUSE, backoff(self._policy, self._probes, self._random))
        self._probes += 1
