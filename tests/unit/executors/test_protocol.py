"""The two sides of the exchange, step by step; ``test_exchange_schedules`` has what networks make of it."""

from __future__ import annotations

import math

from batch.executors.frames import Done, Down, Execute, Up
from batch.executors.protocol import Abort, Begin, DriverSide, Leases, Settled, WorkerSide

LEASES = Leases(lease=15.0, grace=5.0, margin=5.0, beat=4.0, late=1.0)


def driver_with(*attempts: int) -> DriverSide:
    """A driver's side that has sent these attempts at 100."""
    side = DriverSide(1, LEASES, 100.0)
    for attempt in attempts:
        side.issue(attempt, b"ask", 100.0)
    side.frame(100.0)
    return side


def test_an_attempt_is_settled_by_its_first_outcome() -> None:
    side = driver_with(5, 6)
    up = Up(1, 1, 2, 0, [Done(5, b"fine")])
    assert side.receive(up, 101.0) == [Settled(0, 5, b"fine")]
    assert side.receive(up, 102.0) == []
    assert side.attempts == {6}


def test_frames_of_another_epoch_are_ignored() -> None:
    side = driver_with(5)
    assert side.receive(Up(2, 1, 1, 0, [Done(5, b"fine")]), 101.0) == []
    assert side.attempts == {5}


def test_an_outcome_is_confirmed_once_it_and_all_before_it_are_durable() -> None:
    side = driver_with(5, 6)
    side.receive(Up(1, 1, 2, 0, [Done(5, b"a"), Done(6, b"b")], asks=True), 101.0)
    side.acknowledge(1)
    assert side.frame(101.0) == Down(1, 1, 0, 2, [])
    side.acknowledge(0)
    side.receive(Up(1, 2, 2, 2, [], asks=True), 102.0)
    assert side.frame(102.0) == Down(1, 2, 2, 2, [])


def test_a_silent_worker_is_cut_off_when_its_lease_ends() -> None:
    side = driver_with(5)
    assert side.due == 115.0
    assert not side.judge(114.9)
    assert side.judge(115.0)
    assert side.frame(115.0) is None
    assert side.attempts == {5}, "still in flight until the worker is fenced"
    assert side.lose() == [5]


def test_an_idle_worker_may_be_silent() -> None:
    side = DriverSide(1, LEASES, 100.0)
    assert side.due == math.inf
    side.issue(5, b"ask", 500.0)
    assert not side.judge(514.0)
    assert side.judge(515.0)


def test_a_driver_that_was_stopped_gives_a_new_lease_first() -> None:
    side = driver_with(5)
    assert not side.judge(130.0)
    assert not side.judge(144.0)
    assert side.judge(145.0)


def test_time_fences_a_worker_after_the_lease_of_the_last_answer() -> None:
    side = driver_with(5)
    side.receive(Up(1, 1, 1, 0, [], asks=True), 104.0)
    side.frame(104.0)
    assert side.fenced_at == math.inf
    side.cut()
    assert side.fenced_at == 104.0 + 15.0 + 5.0 + 5.0


def test_the_outcome_of_a_cancelled_attempt_settles_nothing() -> None:
    side = driver_with(5)
    side.cancel(5)
    assert side.receive(Up(1, 1, 1, 0, [Done(5, b"late")]), 101.0) == []
    side.cancel(5)


def worker_with_lease() -> WorkerSide:
    """A worker's side that reported at 50 and was answered."""
    side = WorkerSide(1, LEASES, 50.0)
    assert side.frame(50.0) == Up(1, 1, 0, 0, [], asks=True)
    assert side.receive(Down(1, 1, 0, 0, []), 50.2) == []
    return side


def test_an_order_that_arrives_twice_begins_once() -> None:
    side = worker_with_lease()
    down = Down(1, 1, 0, 0, [Execute(5, b"ask")])
    assert side.receive(down, 51.0) == [Begin(5, b"ask")]
    assert side.receive(down, 52.0) == []


def test_without_a_lease_a_worker_asks_before_it_begins() -> None:
    side = worker_with_lease()
    assert side.receive(Down(1, 1, 0, 0, [Execute(5, b"ask")]), 65.0) == []
    assert side.frame(65.0) == Up(1, 2, 1, 0, [], asks=True)
    assert side.receive(Down(1, 2, 0, 1, []), 65.1) == [Begin(5, b"ask")]


def test_a_worker_abandons_what_runs_when_lease_and_grace_are_over() -> None:
    side = worker_with_lease()
    side.receive(Down(1, 1, 0, 0, [Execute(5, b"ask")]), 51.0)
    assert side.tick(69.9) == []
    assert side.tick(70.0) == [Abort(5)]
    side.done(5, b"too late")
    frame = side.frame(70.0)
    assert frame is not None
    assert frame.outcomes == [Done(5, b"")]


def test_a_busy_worker_reports_and_an_idle_one_is_silent() -> None:
    side = worker_with_lease()
    assert (side.due, side.frame(500.0)) == (math.inf, None)
    side = worker_with_lease()
    side.receive(Down(1, 1, 0, 0, [Execute(5, b"ask")]), 51.0)
    assert side.due == 54.0
    frame = side.frame(54.0)
    assert frame is not None
    assert frame.asks
