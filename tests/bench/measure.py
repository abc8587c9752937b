"""Figures: what a child process cost by the kernel's account, and slopes, so that imports do not count."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import command
from tests.bench.cores import pinned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.scenarios import Client, Scenario

ROOT = Path(__file__).parents[2]


class WrongTextError(Exception):
    """A client failed, or did not give back what was served."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One process: seconds of CPU (user and system) and of wall, and its peak of memory in bytes."""

    cpu: float
    wall: float
    memory: int


@dataclass(frozen=True, slots=True)
class Bench:
    """A scenario with its server running: where it is, what it serves, and whom to trust with TLS."""

    scenario: Scenario
    url: str
    text: str
    directory: Path
    python: Path
    core: int | None
    authority: Path | None = None

    def cost(self, client: Client, requests: int, in_flight: int) -> Cost:
        """Run a client once. Raises ``WrongTextError``."""
        with tempfile.TemporaryDirectory(dir=self.directory) as directory:
            if client.module is None:
                return self._cost_of_command(Path(directory), requests, in_flight)
            expected = Path(directory, "expected")
            expected.write_bytes(self.text.encode())
            python = sys.executable if client.ours else str(self.python)
            module = f"tests.bench.clients.{client.module}"
            size = [str(requests), str(in_flight)]
            return self._run([python, "-m", module, self.url, *size, str(expected), *client.options])

    def _cost_of_command(self, directory: Path, requests: int, in_flight: int) -> Cost:
        job = directory / "job"
        cost = self._run(command.prepare(job, self.url, requests, in_flight))
        wrong = command.wrong(job, requests, self.text)
        if wrong:
            raise WrongTextError(f"{wrong} of {requests} results are not what was served")
        return cost

    def _run(self, arguments: Sequence[str]) -> Cost:
        return run([*pinned(self.core), *arguments], self.authority)


def run(arguments: Sequence[str], authority: Path | None = None) -> Cost:
    """Run a program to its end and return what it cost. Raises ``WrongTextError`` where it failed."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        child = subprocess.Popen(
            arguments, stdout=output, stderr=output, cwd=ROOT, env=environment(authority)
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            output.seek(0)
            raise WrongTextError(output.read()[-2000:].decode(errors="replace"))
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * unit)


def slope(bench: Bench, client: Client, requests: int) -> float:
    """Microseconds of CPU a request, between ``requests`` and three times as many."""
    in_flight = bench.scenario.in_flight
    low, high = (bench.cost(client, count, in_flight) for count in (requests, 3 * requests))
    return (high.cpu - low.cpu) / (2 * requests) * 1e6


def environment(authority: Path | None = None) -> dict[str, str]:
    """The environment of a client: without proxies; and litellm is not to look for prices on the net."""
    trusted = {"SSL_CERT_FILE": str(authority)} if authority else {}
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return {**kept, **trusted, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
