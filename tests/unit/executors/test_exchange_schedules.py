"""The exchange on networks that drop, double, delay and reorder frames, with processes killed and frozen.

Whatever happens, each attempt is settled once, none is issued again before its worker is fenced, an outcome
is confirmed only once it is durable, and no more are in flight than allowed; ``World`` checks each.
``tests.system.exchange_schedules`` runs more.
"""

from __future__ import annotations

import math
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from batch.executors.delivery import Inbox
from batch.executors.protocol import DriverSide, Leases, WorkerSide
from tests.support.simulated_exchange import Faults, World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.executors.frames import Up
    from batch.executors.protocol import Settled

FAULTS = st.builds(
    Faults,
    dropped=st.sampled_from([0.0, 0.05, 0.3, 0.7]),
    doubled=st.sampled_from([0.0, 0.1, 0.5]),
    delay=st.sampled_from([0.001, 0.2, 2.0, 8.0]),
    kills=st.integers(0, 4),
    freezes=st.integers(0, 4),
    stops=st.integers(0, 2),
    cancels=st.integers(0, 2),
)


@given(
    seed=st.integers(0, 2**32),
    faults=FAULTS,
    jobs=st.integers(1, 10),
    workers=st.integers(1, 4),
    limit=st.integers(1, 8),
    fenced_by_kill=st.booleans(),
)
@settings(max_examples=300)
def test_whatever_happens_the_rules_hold(
    seed: int, faults: Faults, jobs: int, workers: int, limit: int, fenced_by_kill: bool
) -> None:
    World(Random(seed), faults, jobs=jobs, workers=workers, limit=limit, fenced_by_kill=fenced_by_kill).run()


def test_without_faults_each_job_is_begun_once() -> None:
    world = World(Random(1), Faults(), jobs=50, workers=3, limit=6, fenced_by_kill=True)
    world.run()
    assert world.begun == 50
    assert world.lost == set()


class HastyDriver(DriverSide):
    """Issues attempts again as soon as it has cut the worker off."""

    @property
    def fenced_at(self) -> float:
        return self._heard_at if self.is_cut else math.inf


class EagerDriver(DriverSide):
    """Confirms what has arrived, durable or not."""

    def receive(self, frame: Up, now: float) -> list[Settled]:
        settled = super().receive(frame, now)
        for each in settled:
            self.acknowledge(each.number)
        return settled


class ForgetfulInbox(Inbox):
    """Takes each item for a new one."""

    def new(self, first: int, items: Sequence[object]) -> Sequence[object]:  # type: ignore[override]
        super().new(first, items)
        return items


class ForgetfulWorker(WorkerSide):
    """Executes an order as often as it arrives."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._inbox = ForgetfulInbox()


class StubbornWorker(WorkerSide):
    """Goes on long after the end of its lease."""

    def __init__(self, epoch: int, leases: Leases, now: float) -> None:
        super().__init__(epoch, replace(leases, grace=60.0), now)


class Impatient(World):
    new_driver_side = HastyDriver


class Careless(World):
    new_driver_side = EagerDriver


class Repetitive(World):
    new_worker_side = ForgetfulWorker


class Stubborn(World):
    new_worker_side = StubbornWorker


@pytest.mark.parametrize(
    ("world", "finding"),
    [
        (Impatient, "issued again before the fence"),
        (Careless, "confirmed before it was durable"),
        (Repetitive, "begun after it was settled"),
        (Stubborn, "issued again before the fence"),
    ],
)
def test_the_simulator_notices_a_broken_rule(world: type[World], finding: str) -> None:
    faults = Faults(dropped=0.7, doubled=0.3, delay=1.0, kills=1, freezes=4)
    findings: Counter[str] = Counter()
    for seed in range(100):
        try:
            world(Random(seed), faults, jobs=20, workers=3, limit=6, fenced_by_kill=False).run()
        except (AssertionError, KeyError) as error:
            findings[str(error)] += 1
    assert findings[finding] > 0, findings
