"""Drivers and workers of the exchange (``executors.protocol``) in virtual time, on a network that is no help.

Frames are dropped, doubled, delayed and overtaken; workers are killed and frozen, the driver is stopped. A
world checks the rules of the protocol at every step and raises ``AssertionError``.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batch.executors.frames import decode_down, decode_up, encode
from batch.executors.protocol import ABANDONED, Abort, Begin, DriverSide, Leases, WorkerSide

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from batch.executors.frames import Down
    from batch.executors.protocol import Settled, Step

LOSSY = Leases(lease=3.0, grace=1.0, margin=1.0, beat=0.8, late=0.5, resend=0.6)
TROUBLE = 20.0
"""Seconds after which nothing is lost, killed or frozen any more."""
PATIENCE = 500.0
"""Seconds of virtual time by which everything has to be settled."""


@dataclass(frozen=True)
class Faults:
    """What goes wrong. Shares of frames; kills, freezes, stops and cancellations are counts."""

    dropped: float = 0.0
    doubled: float = 0.0
    delay: float = 0.01
    kills: int = 0
    freezes: int = 0
    stops: int = 0
    cancels: int = 0


@dataclass(eq=False)
class Worker:
    """A worker: its machine, its clock, what it executes, and when each attempt ends."""

    side: WorkerSide
    epoch: int
    clock: float
    executing: dict[int, float] = field(default_factory=dict)
    outcomes: list[int] = field(default_factory=list)
    is_dead: bool = False
    thaws_at: float = 0.0


@dataclass(eq=False)
class Link:
    """The driver's side of one worker, and whether the driver knows that it has exited."""

    side: DriverSide
    worker: Worker
    has_exited: bool = False


class World:
    """One run: ``jobs`` jobs on ``workers`` workers, at most ``limit`` in flight.

    ``fenced_by_kill``: as on one machine, a worker that is cut off is killed. Else only time fences it.
    """

    new_driver_side: Callable[[int, Leases, float], DriverSide] = DriverSide
    new_worker_side: Callable[[int, Leases, float], WorkerSide] = WorkerSide

    def __init__(
        self, random: Random, faults: Faults, *, jobs: int, workers: int, limit: int, fenced_by_kill: bool
    ) -> None:
        self.random, self.faults, self.limit, self.fenced_by_kill = random, faults, limit, fenced_by_kill
        self.now = 0.0
        self.todo = list(range(jobs))
        self.done: set[int] = set()
        self.job_of: dict[int, int] = {}
        self.settled: set[int] = set()
        self.lost: set[int] = set()
        self.cancelled: set[int] = set()
        self.durable: set[int] = set()
        self.jobs = jobs
        self.begun = self.reissued = 0
        self._attempts, self._epochs = itertools.count(1), itertools.count(1)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._alarms: dict[object, float] = {}
        self._stopped_until = 0.0
        self.links: list[Link] = []
        self.workers: list[Worker] = []
        for _ in range(workers):
            self._start_worker()
        for count, what in (
            (faults.kills, self._kill_some),
            (faults.freezes, self._freeze_some),
            (faults.stops, self._stop_driver),
            (faults.cancels, self._cancel_some),
        ):
            for _ in range(count):
                self._at(random.uniform(0, TROUBLE), what)

    def run(self) -> None:
        """Run until every job is done."""
        self._at(0.0, self._drive)
        while len(self.done) < self.jobs:
            assert self._events, "nothing will happen any more, but jobs are left"
            self.now, _, event = heapq.heappop(self._events)
            assert self.now < PATIENCE, f"jobs are left: {self.jobs - len(self.done)}"
            event()

    def _at(self, when: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), event))

    def _wake(self, sleeper: object, when: float, event: Callable[[], None]) -> None:
        """Let an event happen then, in place of the one that was set for this sleeper before."""
        self._alarms[sleeper] = when

        def ring() -> None:
            if self._alarms[sleeper] == when:
                event()

        self._at(when, ring)

    # Faults

    def _kill_some(self) -> None:
        self._kill(self.random.choice(self.workers))

    def _kill(self, worker: Worker) -> None:
        if worker.is_dead:
            return
        worker.is_dead = True
        worker.executing.clear()
        if self.fenced_by_kill:
            link = next(link for link in self.links if link.worker is worker)
            self._at(self.now + self.random.uniform(0, 0.5), lambda: self._exited(link))

    def _exited(self, link: Link) -> None:
        link.has_exited = True
        self._drive()

    def _freeze_some(self) -> None:
        worker = self.random.choice(self.workers)
        worker.thaws_at = max(worker.thaws_at, self.now + self.random.choice([0.5, 2.0, 3.6, 5.0, 30.0]))

    def _stop_driver(self) -> None:
        self._stopped_until = self.now + self.random.choice([0.5, 2.0, 8.0])

    def _cancel_some(self) -> None:
        if self.now < self._stopped_until:
            return
        links = [link for link in self.links if link.side.attempts and not link.side.is_cut]
        if links:
            side = self.random.choice(links).side
            attempt = self.random.choice(sorted(side.attempts))
            side.cancel(attempt)
            self.cancelled.add(attempt)
            self.done.add(self.job_of[attempt])
            self._drive()

    def _arrives(self, event: Callable[[], None]) -> None:
        """Deliver a frame: once, twice or never, after some time."""
        faults, is_over = self.faults, self.now > TROUBLE
        copies = 1 + (not is_over and self.random.random() < faults.doubled)
        for _ in range(copies):
            if is_over or self.random.random() >= faults.dropped:
                self._at(self.now + self.random.uniform(0, faults.delay), event)

    # The driver

    def _start_worker(self) -> None:
        epoch, clock = next(self._epochs), self.random.uniform(-1000, 1000)
        worker = Worker(self.new_worker_side(epoch, self._leases(), self.now + clock), epoch, clock)
        self.workers.append(worker)
        self.links.append(Link(self.new_driver_side(epoch, self._leases(), self.now), worker))
        self._at(self.now, lambda: self._work(worker))

    def _leases(self) -> Leases:
        return LOSSY

    def _heard(self, link: Link, data: bytes) -> None:
        if self.now < self._stopped_until:
            self._at(self._stopped_until, lambda: self._heard(link, data))
            return
        for settled in link.side.receive(decode_up(data), self.now):
            self._settle(link, settled)
        self._at(self.now, self._drive)

    def _settle(self, link: Link, settled: Settled) -> None:
        attempt = settled.attempt
        assert attempt not in self.settled, "settled twice"
        assert attempt not in self.lost | self.cancelled, "settled after it was lost"
        self.settled.add(attempt)
        job = self.job_of[attempt]
        if settled.payload == ABANDONED:
            self.todo.append(job)
        else:
            assert settled.payload == b"answer to %d" % job
            assert job not in self.done, "answered twice"
            self.done.add(job)

        def sync() -> None:
            self.durable.add(attempt)
            link.side.acknowledge(settled.number)

        self._at(self.now + self.random.uniform(0, 0.3), sync)

    def _drive(self) -> None:
        """Do all that the driver has to do now."""
        if self.now < self._stopped_until:
            self._at(self._stopped_until, self._drive_after_stop)
            return
        for link in list(self.links):
            was_cut = link.side.is_cut
            if link.has_exited:
                link.side.cut()
            if link.side.judge(self.now) and not was_cut:
                if self.fenced_by_kill and not link.worker.is_dead:
                    self._kill(link.worker)
                self._start_worker()
            if link.has_exited if self.fenced_by_kill else self.now >= link.side.fenced_at:
                self._fence(link)
        while self.todo and sum(len(link.side.attempts) for link in self.links) < self.limit:
            self._issue()
        for link in self.links:
            self._send_down(link)

    def _drive_after_stop(self) -> None:
        """Let frames that have arrived go first: their events are set for the same time."""
        self._at(self.now, self._drive)

    def _fence(self, link: Link) -> None:
        self.links.remove(link)
        for attempt in link.side.lose():
            self.lost.add(attempt)
            self.todo.append(self.job_of[attempt])
            self.reissued += 1

    def _issue(self) -> None:
        link = min(
            (link for link in self.links if not link.side.is_cut), key=lambda each: len(each.side.attempts)
        )
        attempt, job = next(self._attempts), self.todo.pop()
        self.job_of[attempt] = job
        link.side.issue(attempt, b"%d" % job, self.now)

    def _send_down(self, link: Link) -> None:
        frame = link.side.frame(self.now)
        if frame is not None:
            self._check_confirmed(link.worker, frame)
            data = encode(frame)
            self._arrives(lambda: self._told(link.worker, data))
        due = link.side.fenced_at if link.side.is_cut else link.side.due
        if self.now < due < PATIENCE:
            self._wake(link, due, self._drive)

    def _check_confirmed(self, worker: Worker, frame: Down) -> None:
        confirmed = worker.outcomes[: frame.confirmed]
        assert len(confirmed) == frame.confirmed, "confirmed what was never reported"
        assert set(confirmed) <= self.durable | self.cancelled | self.lost, "confirmed before it was durable"

    # The workers

    def _told(self, worker: Worker, data: bytes) -> None:
        if worker.is_dead or self.now < worker.thaws_at:
            if not worker.is_dead:
                self._at(worker.thaws_at, lambda: self._told(worker, data))
            return
        self._carry_out(worker, worker.side.receive(decode_down(data), self.now + worker.clock))
        self._work(worker)

    def _work(self, worker: Worker) -> None:
        """Do all that a worker has to do now."""
        if worker.is_dead:
            return
        if self.now < worker.thaws_at:
            self._wake(worker, worker.thaws_at, lambda: self._work(worker))
            return
        self._carry_out(worker, worker.side.tick(self.now + worker.clock))
        for attempt in [each for each, ends in worker.executing.items() if ends <= self.now]:
            del worker.executing[attempt]
            worker.outcomes.append(attempt)
            worker.side.done(attempt, b"answer to %d" % self.job_of[attempt])
        frame = worker.side.frame(self.now + worker.clock)
        if frame is not None:
            data = encode(frame)
            link = next((link for link in self.links if link.worker is worker), None)
            if link is not None:
                self._arrives(lambda: self._heard(link, data))
        due = min([worker.side.due - worker.clock, *worker.executing.values()])
        if due < PATIENCE:
            self._wake(worker, max(due, self.now + 1e-6), lambda: self._work(worker))

    def _carry_out(self, worker: Worker, steps: Sequence[Step]) -> None:
        aborted = [step.attempt for step in steps if isinstance(step, Abort)]
        for attempt in aborted:
            del worker.executing[attempt]
        reported = worker.side._outbox._first + len(worker.side._outbox) - len(worker.outcomes)
        worker.outcomes += aborted[
            :reported
        ]  # those without a lease come first; cancelled ones are not reported
        for step in steps:
            if isinstance(step, Begin):
                self._begin(worker, step)

    def _begin(self, worker: Worker, step: Begin) -> None:
        """Begin to execute an attempt: where it would be sent to the endpoint."""
        job = self.job_of[step.attempt]
        assert step.payload == b"%d" % job
        assert step.attempt not in self.settled, "begun after it was settled"
        assert step.attempt not in self.lost, "begun after it was lost"
        executing = [
            attempt
            for other in self.workers
            if self.fenced_by_kill or self.now >= other.thaws_at  # time fences no worker that is frozen
            for attempt in other.executing
            if attempt not in self.cancelled
        ]
        assert job not in {self.job_of[attempt] for attempt in executing}, "issued again before the fence"
        worker.executing[step.attempt] = self.now + self.random.choice([0.01, 0.1, 1.0, 6.0])
        self.begun += 1
        if step.attempt not in self.cancelled:
            assert len(executing) < self.limit, "more in flight than allowed"
