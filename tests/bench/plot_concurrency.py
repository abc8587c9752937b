"""Draws ``docs/concurrency.png`` and prints the table beside it.

::

    python -m tests.bench.plot_concurrency --output docs

The simulation runs here; matplotlib, which is no dependency of the project, in the environment of the
benchmark suite's peers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from batch.scheduling.adaptive_limiter import AdaptiveLimiter
from batch.scheduling.concurrency_limiter import FixedLimiter
from tests.support.simulated_server import (
    ERRORS_AND_CUTS,
    SimulatedServer,
    changing,
    gradual,
    knee,
    simulate,
    steady,
    thrashing,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.scheduling.concurrency_limiter import ConcurrencyLimiter
    from tests.support.simulated_server import Trace

SEEDS = {4: range(10), 32: range(10), 256: range(3)}
WARM, END = 60, 660
SERVERS = {4: 64, 32: 512, 256: 512}
"""The user's limit for each capacity."""

CASES: dict[str, dict[str, Any]] = {
    "slower with load, by a third at its capacity": {"slowdown": gradual},
    "no faster beyond four fifths of its capacity": {"slowdown": knee},
    "does less in all near its capacity": {"slowdown": thrashing},
    "refuses 0.2 % of all requests at random": {"noise": 0.002},
    "refuses 1 % of all requests at random": {"noise": 0.01},
    "refuses 3 % of all requests at random": {"noise": 0.03},
    "refuses 6 % of all requests at random": {"noise": 0.06},
    "answers 4 % with a 500 and cuts 2 %, at random": {"faults": ERRORS_AND_CUTS},
    "takes 5 s to refuse, and 2 s to answer": {"refusal_seconds": 5.0},
    "the same, and refuses 3 % of all requests at random": {"refusal_seconds": 5.0, "noise": 0.03},
}
"""Servers of several kinds."""

CHANGES = ((32, 128), (128, 32))
AT = 330


def main() -> None:
    """Simulate, print, and draw where asked to."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.plot_concurrency", description=__doc__)
    parser.add_argument("--output", type=Path, help="directory for concurrency.png")
    options = parser.parse_args()
    print(table())
    if options.output is not None:
        _draw(panels(), options.output / "concurrency.png")


def table() -> str:
    """The worst of ten seeds, of three for a capacity of 256; Markdown.

    The throughput against that of the best fixed setting, and the share of attempts that failed.
    """
    columns = ["the server", *(f"capacity {capacity}" for capacity in SERVERS)]
    rows = [columns, ["---"] * len(columns)]
    with ProcessPoolExecutor(max_workers=2) as pool:
        cells = [
            (name, [pool.submit(_cell, capacity, options) for capacity in SERVERS])
            for name, options in CASES.items()
        ]
        rows += [[name, *(cell.result() for cell in row)] for name, row in cells]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(capacity: int, options: dict[str, Any]) -> str:
    settings = {round(capacity * step / 20) for step in range(15, 22)}
    fixed = {setting: _throughput(FixedLimiter(setting), capacity, 0, options) for setting in settings}
    setting = max(fixed, key=lambda name: fixed[name])
    shares, failed = [], []
    for seed in SEEDS[capacity]:
        trace = _run(AdaptiveLimiter(SERVERS[capacity]), steady(capacity), seed, options)
        best = _throughput(FixedLimiter(setting), capacity, seed, options) if seed else fixed[setting]
        shares.append(trace.throughput(WARM, END) / best)
        failed.append(trace.refused(WARM, END))
    return f"{min(shares):.0%}, {max(failed):.1%} failed"


def panels() -> list[dict[str, Any]]:
    """What the picture shows: for each server its capacity and the slots, second by second."""
    shown: list[tuple[str, Callable[[float], int], int]] = [
        (f"capacity {capacity}, limit {limit}", steady(capacity), limit)
        for capacity, limit in SERVERS.items()
    ]
    shown += [(f"capacity {old}, then {new}", changing(old, new, AT), 512) for old, new in CHANGES]
    return [
        {
            "title": title,
            "capacity": [capacity(second) for second in range(END)],
            "slots": _run(AdaptiveLimiter(limit), capacity, 0).slots,
        }
        for title, capacity, limit in shown
    ]


def _throughput(setting: ConcurrencyLimiter, capacity: int, seed: int, options: dict[str, Any]) -> float:
    return _run(setting, steady(capacity), seed, options).throughput(WARM, END)


def _run(
    setting: ConcurrencyLimiter,
    capacity: Callable[[float], int],
    seed: int,
    options: dict[str, Any] | None = None,
) -> Trace:
    return simulate(SimulatedServer(capacity, Random(seed), **(options or {})), setting, END)


def _draw(content: list[dict[str, Any]], target: Path) -> None:
    from tests.bench import peers

    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(content, file)
        file.flush()
        command = [str(peers.environment()), str(Path(__file__).with_name("draw_concurrency.py"))]
        subprocess.run([*command, file.name, str(target)], check=True)


if __name__ == "__main__":
    main()
