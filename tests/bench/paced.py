"""A thousand paced streams: does the command keep up with its server, and what does a stream take?"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import command
from tests.bench.cores import pinned
from tests.bench.measure import WrongTextError, run
from tests.bench.scenarios import COMMAND, PACE
from tests.bench.servers import standing

if TYPE_CHECKING:
    from tests.bench.measure import Bench

FEW = 100
"""Streams of the run that the memory of many is compared with."""


def keeping_up(bench: Bench) -> dict[str, float]:
    """Observations on the command with as many streams as the scenario has in flight.

    ``lag``: seconds from the end of a stream, as the server's pace has it, until its reply was known whole;
    ``server lag``: how late the server itself was at worst. ``KiB a stream``: by slope of the peak memory.
    """
    scenario = bench.scenario
    with tempfile.TemporaryDirectory(dir=bench.directory) as directory:
        many = Path(directory, "many")
        requests = 2 * scenario.in_flight
        arguments = command.prepare(many, bench.url, requests, scenario.in_flight)
        cost = run([*pinned(bench.core), *arguments])
        if command.wrong(many, requests, bench.text):
            raise WrongTextError("results are not what was served")
        lags = command.lags(many, (scenario.events - 1) / PACE)
    few = bench.cost(COMMAND, FEW, FEW)
    memory = (cost.memory - few.memory) / (scenario.in_flight - FEW) / 1024
    return {
        f"{scenario.name}: core busy, %": 100 * cost.cpu / cost.wall,
        f"{scenario.name}: median lag, s": lags[len(lags) // 2],
        f"{scenario.name}: 99th percentile of lag, s": lags[len(lags) * 99 // 100],
        f"{scenario.name}: server's worst lag, s": standing(bench.url)["latest_us"] / 1e6,
        f"{scenario.name}: KiB a stream": memory,
    }
