"""The exchange between the driver and one worker, as two state machines. The time is an argument.

1. The driver issues attempts under ids of its own. Orders and outcomes are numbered, arrive once and in order
   (``delivery``), and belong to an epoch: the life of one worker. Frames of other epochs are ignored.
2. An attempt is settled once: by the first outcome that arrives, or as lost when its worker is fenced.
3. A worker keeps an outcome until the driver has confirmed it: when it is durable (``acknowledge``), or at
   once, where a worker ends with its driver anyway (``settle``).
4. A worker with attempts sends a frame at least every ``beat`` seconds and asks for an answer. The driver
   cuts off a worker that has attempts and from which nothing has arrived for ``lease`` seconds. If the driver
   itself was stopped for longer than ``late``, it first gives each worker a new lease.
5. An answered frame gives the worker a lease. The worker counts from when it sent that frame, the driver
   from when it sent the answer, so the worker's lease ends first, and no clocks are compared. Without a
   lease, a worker begins no attempt. ``grace`` seconds after the lease, it abandons those it has begun.
6. Attempts of a worker that is cut off may be issued again only once it is fenced: after its exit is proven,
   or ``lease + grace + margin`` after the last answer to it. Until then they stay in flight.

The clocks must also count while the machine is suspended. A worker that is paused between looking at its
lease and sending cannot be fenced by time, only by its exit.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from batch.executors.delivery import Inbox, Outbox
from batch.executors.frames import Cancel, Done, Down, Execute, Order, Up

if TYPE_CHECKING:
    from collections.abc import Callable

CATCH_UP = 0.25
"""Seconds in which a driver reads what has arrived, before it judges a worker."""

MAX_UNANSWERED = 256
"""Frames of which a worker remembers when it sent them."""

ABANDONED = b""
"""The payload of the outcome of an attempt that the worker abandoned when its lease had ended."""


class Leases(Struct, frozen=True):
    """The times of the exchange in seconds, as the rules above use them.

    ``resend``: unconfirmed items are sent again after this time; infinite if the transport loses nothing.
    ``frame``: the payloads of one frame have at most so many bytes, unless there is only one.
    """

    lease: float = 15.0
    grace: float = 5.0
    margin: float = 5.0
    beat: float = 4.0
    late: float = 1.0
    resend: float = math.inf
    frame: float = math.inf


class Settled(Struct, frozen=True, gc=False):
    """An attempt that has its outcome. ``number`` is that of the outcome, for ``acknowledge``."""

    number: int
    attempt: int
    payload: bytes


class DriverSide:
    """The driver's side of the exchange with one worker in one epoch.

    ``attempts`` are those in flight there. ``is_cut``: nothing more is sent to the worker.
    """

    def __init__(self, epoch: int, leases: Leases, now: float) -> None:
        self.epoch = epoch
        self.is_cut = False
        self.attempts: set[int] = set()
        self._leases = leases
        self._outbox: Outbox[Order] = Outbox(leases.resend, leases.frame, _size)
        self._inbox = Inbox()
        self._durable: set[int] = set()
        self._confirmed = 0
        self._arrived = self._answered = 0
        self._owes_answer = False
        self._heard_at = self._leased_at = now

    def issue(self, attempt: int, payload: bytes, now: float) -> None:
        """Order the worker to execute an attempt."""
        if not self.attempts:
            self._heard_at = now  # an idle worker is silent
        self.attempts.add(attempt)
        self._outbox.add(Execute(attempt, payload))

    def cancel(self, attempt: int) -> None:
        """Abandon an attempt. Its outcome, if there is one, settles nothing."""
        if attempt in self.attempts:
            self.attempts.discard(attempt)
            self._outbox.add(Cancel(attempt))

    def receive(self, frame: Up, now: float) -> list[Settled]:
        """Handle a frame; return the attempts that it settles."""
        if frame.epoch != self.epoch:
            return []
        self._heard_at = now
        self._arrived = max(self._arrived, frame.number)
        self._outbox.confirm(frame.confirmed)
        start = self._inbox.received
        outcomes = self._inbox.new(frame.first, frame.outcomes)
        self._owes_answer |= frame.asks or (bool(frame.outcomes) and not outcomes)
        settled = []
        for number, outcome in enumerate(outcomes, start):
            if outcome.attempt in self.attempts:
                self.attempts.discard(outcome.attempt)
                settled.append(Settled(number, outcome.attempt, outcome.payload))
            else:
                self.acknowledge(number)
        return settled

    def settle(self, frame: Up, now: float, settle: Callable[[int, bytes], None]) -> bool:
        """Handle a frame, and call ``settle`` with each attempt that it settles and its outcome.

        Outcomes are confirmed at once: a worker ends with its driver, so it keeps none for a later one.
        Return whether there was one.
        """
        found = self.receive(frame, now)
        for each in found:
            settle(each.attempt, each.payload)
            self.acknowledge(each.number)
        return bool(found)

    def acknowledge(self, number: int) -> None:
        """Record that an outcome is durable. Confirmed to the worker once all before it are."""
        self._durable.add(number)
        while self._confirmed in self._durable:
            self._durable.discard(self._confirmed)
            self._confirmed += 1

    def frame(self, now: float, *, polled: bool = False) -> Down | None:
        """Return the frame to send now, if there is one. Before the cut there is if it is ``polled``."""
        if self.is_cut or not (polled or self._owes_answer or self._outbox.due <= now):
            return None
        self._owes_answer = False
        if self._arrived > self._answered:
            self._answered, self._leased_at = self._arrived, now
        first, orders = self._outbox.take(now)
        return Down(self.epoch, self._arrived, self._confirmed, first, orders)

    @property
    def due(self) -> float:
        """When to call ``judge`` and ``frame`` at the latest; infinite if there is nothing to wait for."""
        return math.inf if self.is_cut else min(self.judged_at, self._outbox.due)

    @property
    def judged_at(self) -> float:
        """When to call ``judge``; infinite if there is nothing to wait for."""
        return self._heard_at + self._leases.lease if self.attempts and not self.is_cut else math.inf

    def judge(self, now: float) -> bool:
        """Cut the worker off if its lease has ended; return whether it is cut off.

        Frames that have arrived must be passed to ``receive`` before.
        """
        ends_at = self._heard_at + self._leases.lease
        if self.is_cut or not self.attempts or now < ends_at:
            return self.is_cut
        if now > ends_at + self._leases.late:  # this process was stopped, and the worker perhaps with it
            self._heard_at = now
            return False
        self.cut()
        return True

    def cut(self) -> None:
        """Send nothing more to the worker."""
        self.is_cut = True

    @property
    def fenced_at(self) -> float:
        """When a worker that is cut off can send nothing more, even if it runs; infinite before the cut."""
        leases = self._leases
        return self._leased_at + leases.lease + leases.grace + leases.margin if self.is_cut else math.inf

    def lose(self) -> list[int]:
        """Return the attempts that the worker will not settle. Call it once the worker is fenced."""
        lost = sorted(self.attempts)
        self.attempts.clear()
        self.cut()
        return lost


class Begin(Struct, frozen=True, gc=False):
    """Begin an attempt."""

    attempt: int
    payload: bytes


class Abort(Struct, frozen=True, gc=False):
    """Stop an attempt; its outcome is dropped."""

    attempt: int


Step: TypeAlias = Begin | Abort


class WorkerSide:
    """The worker's side of the exchange in one epoch. ``running`` are the attempts that it executes."""

    def __init__(self, epoch: int, leases: Leases, now: float) -> None:
        self.running: set[int] = set()
        self._epoch = epoch
        self._leases = leases
        self._waiting: dict[int, bytes] = {}
        self._outbox: Outbox[Done] = Outbox(leases.resend, leases.frame, _size)
        self._inbox = Inbox()
        self._number = 0
        self._unanswered: deque[tuple[int, float]] = deque(maxlen=MAX_UNANSWERED)
        self._leased_at = -math.inf
        self._asked_at = now
        self._must_ask = True

    def receive(self, frame: Down, now: float) -> list[Step]:
        """Handle a frame; return what to do now."""
        if frame.epoch != self._epoch:
            return []
        while self._unanswered and self._unanswered[0][0] <= frame.answers:
            number, sent_at = self._unanswered.popleft()
            if number == frame.answers:
                self._leased_at = sent_at
        self._outbox.confirm(frame.confirmed)
        orders = self._inbox.new(frame.first, frame.orders)
        self._must_ask |= bool(frame.orders) and not orders
        steps = self._expire(now)
        for order in orders:
            if isinstance(order, Execute):
                self._waiting[order.attempt] = order.payload
            elif order.attempt in self.running:
                self.running.discard(order.attempt)
                steps.append(Abort(order.attempt))
            else:
                self._waiting.pop(order.attempt, None)
        return steps + self._begin(now)

    def done(self, attempt: int, payload: bytes) -> None:
        """Report the outcome of an attempt; ignored if the attempt was abandoned."""
        if attempt in self.running:
            self.running.discard(attempt)
            self._outbox.add(Done(attempt, payload))

    def tick(self, now: float) -> list[Step]:
        """Return what to do because time has passed. Call it when ``due``."""
        return self._expire(now)

    def frame(self, now: float, *, polled: bool = False) -> Up | None:
        """Return the frame to send now, if there is one. There is if it is ``polled``."""
        asks = self._must_ask or self._beat_due <= now
        if not (asks or polled) and self._outbox.due > now:
            return None
        first, outcomes = self._outbox.take(now)
        if asks:
            self._must_ask, self._asked_at = False, now
        self._number += 1
        self._unanswered.append((self._number, now))
        return Up(self._epoch, self._number, self._inbox.received, first, outcomes, asks)

    @property
    def due(self) -> float:
        """When to call ``tick`` and ``frame`` at the latest; infinite if there is nothing to wait for."""
        if self._must_ask:
            return -math.inf
        leases = self._leases
        expires_at = self._leased_at + leases.lease + leases.grace if self.running else math.inf
        return min(self._beat_due, self._outbox.due, expires_at)

    @property
    def _beat_due(self) -> float:
        if not (self.running or self._waiting):
            return math.inf
        return max(self._leased_at, self._asked_at) + self._leases.beat

    def _begin(self, now: float) -> list[Step]:
        """Begin what waits, if there is a lease; else ask for one."""
        if not self._waiting:
            return []
        if now >= self._leased_at + self._leases.lease:
            self._must_ask |= now > self._asked_at
            return []
        begun: list[Step] = [Begin(attempt, payload) for attempt, payload in self._waiting.items()]
        self.running.update(self._waiting)
        self._waiting.clear()
        return begun

    def _expire(self, now: float) -> list[Step]:
        """Abandon what runs without a lease."""
        if now < self._leased_at + self._leases.lease + self._leases.grace:
            return []
        expired = sorted(self.running)
        for attempt in expired:
            self.done(attempt, ABANDONED)
        return [Abort(attempt) for attempt in expired]


def _size(item: Order | Done) -> int:
    return 0 if isinstance(item, Cancel) else len(item.payload)
