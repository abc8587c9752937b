"""Many random schedules of the exchange between driver and workers.

``PROMPTJOBS_SCHEDULES=100000 python -m tests.system.exchange_schedules`` runs so many.

Each seed is a world of its own (``tests.support.simulated_exchange``). An argument is the first seed.
"""

from __future__ import annotations

import os
import sys
from random import Random

from tests.support.simulated_exchange import Faults, World

SCHEDULES = int(os.environ.get("PROMPTJOBS_SCHEDULES", "1000"))


def world_of(seed: int) -> World:
    """The world of a seed."""
    random = Random(seed)
    faults = Faults(
        dropped=random.choice([0.0, 0.05, 0.3, 0.7]),
        doubled=random.choice([0.0, 0.1, 0.5]),
        delay=random.choice([0.001, 0.2, 2.0, 8.0]),
        kills=random.randint(0, 4),
        freezes=random.randint(0, 4),
        stops=random.randint(0, 2),
        cancels=random.randint(0, 2),
    )
    return World(
        random,
        faults,
        jobs=random.randint(1, 10),
        workers=random.randint(1, 4),
        limit=random.randint(1, 8),
        fenced_by_kill=random.random() < 0.5,
    )


def main(first: int) -> None:
    """Run the schedules, and print what they came to."""
    begun = lost = findings = 0
    for seed in range(first, first + SCHEDULES):
        world = world_of(seed)
        try:
            world.run()
        except Exception as error:  # noqa: BLE001 - a finding; go on
            findings += 1
            print(f"seed {seed}: {type(error).__name__}: {error}")
        begun += world.begun
        lost += len(world.lost)
        if (done := seed - first + 1) % 1000 == 0 or done == SCHEDULES:
            print(f"{done} schedules, {begun} attempts begun, {lost} lost, {findings} findings", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
