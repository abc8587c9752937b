"""Many requests, many faults, every answer checked: ``python -m tests.system.soak --requests 200000``.

The job runs in this process, against a server in another one. Afterwards every answer in the output must be
the right one, each id must be there once, and neither a task nor a descriptor may be left. Memory must be
flat: the most that is in use in the last quarter of the run is compared with the second quarter.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from batch.app.api import arun
from batch.codec import decode_result
from tests.system.soak_answers import is_right
from tests.system.soak_server import KINDS, SoakServer

if TYPE_CHECKING:
    from batch.records import Result

FAULTS = 0.05
"""The share of requests that meet a fault."""

FLAT = 6 * 2**20
"""Bytes that memory may grow between the second and the last quarter, beside what each result takes."""

PER_RESULT = 60
"""Bytes of memory that a result may keep: its place in the index, and what the allocator retains."""

SETTINGS: dict[str, Any] = {
    "provider": "openai",
    "model": "m",
    "prompt": "{{ prompt }}",
    "inputs": {"jsonl": "rows.jsonl"},
    "concurrency": 64,
    "adaptive": False,
    "retries": {"max_attempts": 20, "base": "50ms", "cap": "1s"},
    "timeouts": {"connect": "5s", "first_byte": "5s", "idle": "1s"},
}


@dataclass
class Soaked:
    """The result of a soak. ``wrong`` are error messages; it is empty after a success."""

    requests: int
    seconds: float
    attempts: int
    server: dict[str, Any]
    memory: list[int]
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        quarters = ", ".join(f"{most / 2**20:.0f}" for most in quarters_of(self.memory))
        faults = ", ".join(f"{kind}: {count}" for kind, count in sorted(self.server["faults"].items()))
        met = sum(self.server["faults"].values())
        rate = self.requests / self.seconds
        return (
            f"{self.requests} requests in {self.seconds:.0f} s ({rate:.0f} a second), "
            f"{self.attempts} attempts, {met} faults\n{faults}\n"
            f"most memory in each quarter: {quarters} MiB; connections at once: {self.server['most_open']}\n"
            + ("\n".join(self.wrong) or "every answer is right; nothing is left behind")
        )


class Sampler(threading.Thread):
    """Samples the resident memory of this process during a run."""

    def __init__(self, every: float) -> None:
        super().__init__(daemon=True)
        self.samples: list[int] = []
        self._every = every
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(self._every):
            self.samples.append(resident())

    def end(self) -> None:
        """Stop, and wait until it has stopped."""
        self._ended.set()
        self.join()


def resident() -> int:
    """The bytes of memory that this process has in use."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> set[str]:
    """Return the targets of the open descriptors of this process."""
    found = set()
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{descriptor} → {os.readlink(f'/proc/self/fd/{descriptor}')}")
        except OSError:
            continue  # the one of the listing itself
    return found


def quarters_of(samples: list[int]) -> list[int]:
    """Return the maximum of each quarter."""
    size = max(1, len(samples) // 4)
    return [max(samples[start : start + size], default=0) for start in range(0, 4 * size, size)]


def soak(folder: Path, requests: int, seed: int = 1, faults: float = FAULTS) -> Soaked:
    """Run ``requests`` requests in a folder and judge the results."""
    rows = {f"row-{number}": f"prompt {number}" for number in range(requests)}
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"id": name, "prompt": prompt}) + "\n" for name, prompt in rows.items())
    with SoakServer(seed, faults) as server:
        job = folder / "job.yaml"
        job.write_text(json.dumps({**SETTINGS, "base_url": server.url}), encoding="utf-8")
        uvloop.run(asyncio.sleep(0))  # libuv keeps a pipe for signals, for the whole process
        before, threads = descriptors(), set(threading.enumerate())
        sampler = Sampler(every=max(0.01, requests / 500_000))
        sampler.start()
        start = time.monotonic()
        summary, tasks = uvloop.run(_run(job))
        seconds = time.monotonic() - start
        sampler.end()
        report = settled(server)
        soaked = Soaked(requests, seconds, summary.attempts, report, sampler.samples)
        left = sorted(descriptors() - before)
    soaked.wrong += [f"exit code {summary.exit_code}: {summary.reasons}"] if summary.exit_code else []
    soaked.wrong += [f"a descriptor is left: {name}" for name in left]
    soaked.wrong += [f"a task is left: {name}" for name in tasks]
    soaked.wrong += [
        f"a thread is left: {thread.name}" for thread in set(threading.enumerate()) - threads - {sampler}
    ]
    soaked.wrong += [f"{report['open']} connections are left"] if report["open"] else []
    soaked.wrong += judged(folder / "output" / "job.jsonl", rows)
    soaked.wrong += grown(sampler.samples, requests)
    return soaked


async def _run(job: Path) -> tuple[Any, list[str]]:
    summary = await arun(job)
    await asyncio.sleep(0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    return summary, [repr(task) for task in left]


def settled(server: SoakServer) -> dict[str, Any]:
    """The server's counts, once it has seen that all connections are closed."""
    for _ in range(100):
        report = server.report()
        if not report["open"]:
            break
        time.sleep(0.02)
    return report


def judged(output: Path, rows: dict[str, str]) -> list[str]:
    """Return the errors in the results: every row must have one line with the right answer."""
    left = dict(rows)
    wrong = []
    with output.open("rb") as lines:
        for line in lines:
            result: Result = decode_result(line)
            prompt = left.pop(result.id, None)
            if prompt is None:
                wrong.append(f"{result.id} is there twice, or was never asked")
            elif result.status != "succeeded" or not is_right(prompt, result.text):
                wrong.append(f"{result.id}: {result.status}, {result.error or result.text!r}")
    return wrong + [f"{name} has no result" for name in left]


def grown(samples: list[int], requests: int) -> list[str]:
    """Return how much memory grows; a short run is not conclusive."""
    _, second, _, last = quarters_of(samples)
    allowed = FLAT + PER_RESULT * requests // 2
    return [f"memory grew by {last - second} bytes, {allowed} are allowed"] if last - second > allowed else []


def main() -> int:
    """Run the soak that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=float, default=FAULTS, help="share of requests that meet a fault")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="promptjobs-soak-") as folder:
        soaked = soak(Path(folder), options.requests, options.seed, options.faults)
    print(soaked)
    missing = set(KINDS) - soaked.server["faults"].keys()
    if missing:
        print(f"no request has met: {', '.join(sorted(missing))}", file=sys.stderr)
    return 1 if soaked.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
