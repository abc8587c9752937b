"""What a request costs with ``--processes N``: ``python -m tests.bench.measure_processes``.

Microseconds of the processor in the driver and in all workers, each as the slope between N and 3N requests,
and requests a second between the two. The server answers from memory. On a machine with two cores it takes
a part of one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench import command, peers
from tests.bench.cores import cores
from tests.bench.measure import ROOT, WrongTextError, environment
from tests.bench.replies import Served, reply
from tests.bench.servers import whole

REPLIES = {8: 4000, 200: 1000}
"""Events of a reply, and N."""

IN_FLIGHT = 64

_METERED = (
    "import atexit, json, resource, sys\n"
    "def cpu(whose):\n"
    "    usage = resource.getrusage(whose)\n"
    "    return usage.ru_utime + usage.ru_stime\n"
    "kinds = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN\n"
    "atexit.register(lambda: print(json.dumps([cpu(kind) for kind in kinds])))\n"
    "from batch.cli import main\n"
    "main()\n"
)
"""Runs the command; prints the seconds of CPU that it took, and those of the processes that it started."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One run: seconds of the processor in the driver and in its workers, and on the clock."""

    driver: float
    workers: float
    wall: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Microseconds a request in the driver and in the workers, and requests a second."""

    driver: float
    workers: float
    throughput: float


def run(folder: Path, url: str, served: Served, requests: int, processes: int) -> Cost:
    """Run the command once. Raises ``WrongTextError``."""
    arguments = command.prepare(folder, url, requests, IN_FLIGHT)[3:]  # without `python -m batch`
    began = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-c", _METERED, *arguments, "--processes", str(processes)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    wall = time.perf_counter() - began
    if wrong := command.wrong(folder, requests, served.text):
        raise WrongTextError(f"{wrong} of {requests} results are not what was served")
    driver, workers = json.loads(ended.stdout.splitlines()[-1])
    return Cost(driver, workers, wall)


def measure(folder: Path, url: str, served: Served, requests: int, processes: int) -> Figures:
    """Compare a run of so many requests with one of three times as many."""
    with tempfile.TemporaryDirectory(dir=folder) as directory:
        low = run(Path(directory, "low"), url, served, requests, processes)
        high = run(Path(directory, "high"), url, served, 3 * requests, processes)
    more = 2 * requests
    return Figures(
        (high.driver - low.driver) / more * 1e6,
        (high.workers - low.workers) / more * 1e6,
        more / (high.wall - low.wall),
    )


def median(figures: list[Figures]) -> Figures:
    """Return the median of each figure."""
    columns = ([each.driver, each.workers, each.throughput] for each in figures)
    return Figures(*map(statistics.median, zip(*columns, strict=True)))


def table(found: dict[tuple[int, int], Figures]) -> str:
    """Return the figures by events of a reply and number of processes, in Markdown."""
    rows = ["| reply | processes | driver, µs | workers, µs | requests a second |", "|---|---|---|---|---|"]
    for (events, processes), each in found.items():
        workers = f"{each.workers:.0f}" if processes > 1 else ""
        rows.append(
            f"| {events} events | {processes} | {each.driver:.0f} | {workers} | {each.throughput:.0f} |"
        )
    return "\n".join(rows)


def main() -> None:
    """Measure in turn, so that a busy minute of the machine hits all, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--events", type=int, nargs="+", choices=REPLIES, default=list(REPLIES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, help="directory for processes.json and processes.png")
    options = parser.parse_args()
    found: dict[tuple[int, int], Figures] = {}
    for events in options.events:
        served = reply(events)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with whole(served.body, folder, cores()[1]) as url:
                runs: dict[int, list[Figures]] = {processes: [] for processes in options.processes}
                for _ in range(options.repeats):
                    for processes, figures in runs.items():
                        figures.append(measure(folder, url, served, REPLIES[events], processes))
        found |= {(events, processes): median(figures) for processes, figures in runs.items()}
    print(table(found))
    if options.output is not None:
        _write(found, options.output)


def _write(found: dict[tuple[int, int], Figures], folder: Path) -> None:
    keyed = [{"events": key[0], "processes": key[1], **_as_dict(each)} for key, each in found.items()]
    target = folder / "processes.json"
    target.write_text(json.dumps(keyed, indent=1) + "\n")
    drawing = Path(__file__).with_name("draw_processes.py")
    subprocess.run([peers.environment(), drawing, target, target.with_suffix(".png")], check=True)


def _as_dict(figures: Figures) -> dict[str, float]:
    return {
        "driver": round(figures.driver, 1),
        "workers": round(figures.workers, 1),
        "throughput": round(figures.throughput),
    }


if __name__ == "__main__":
    main()
