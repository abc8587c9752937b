"""What a long results file costs: ``python -m tests.bench.measure_results --lines 1000000``.

Each figure comes from a process of its own: seconds of its processor, and seconds on the clock. Memory is the
peak of the process above that of one with a file of a single line. The lines are half a kilobyte long, every
twentieth is a failure.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from batch.app.inspect.status import of_output
from batch.app.merge import merge
from batch.codec import encode_result
from batch.results.result_log import ResultLog
from tests.support.results_support import failed, succeeded

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER = "A short answer of about a hundred characters, as a summary in one or two sentences may well be."


def write(path: Path, lines: int) -> None:
    """A file of so many results, the last first, as no run leaves it."""
    with path.open("wb") as file:
        for number in reversed(range(lines)):
            name, fingerprint = f"documents/{number}.txt", f"{number:032x}"
            result = succeeded(name, ANSWER, fingerprint=fingerprint)
            file.write(encode_result(result if number % 20 else failed(name, fingerprint=fingerprint)))


def scan(path: Path, lines: int) -> None:
    """Open the log, as a run does first."""
    with ResultLog.open(path) as log:
        assert len(log.contents.index) == lines


def resume(path: Path, lines: int) -> None:
    """Open the log, as a run does, and ask it for each request."""
    with ResultLog.open(path) as log:
        known = sum(log.known(f"documents/{number}.txt") is not None for number in range(lines))
        assert known == lines


def status(path: Path, lines: int) -> None:
    """Count everything, as ``promptjobs status`` does."""
    counts = of_output(path).counts
    assert counts.succeeded + counts.failed.total() == lines


def order(path: Path, lines: int) -> None:
    """Open the log and put every line in another place."""

    async def finish() -> None:
        with ResultLog.open(path) as log:
            await log.finish((f"documents/{number}.txt" for number in range(lines)), order="input")

    anyio.run(finish)
    with path.open("rb") as file:
        assert b'"documents/0.txt"' in file.readline()


def merge_one(path: Path, lines: int) -> None:
    """Merge it into a new output."""
    merged = merge([path], path.with_name("merged.jsonl"))
    assert merged.succeeded + merged.failed == lines


def merge_again(path: Path, lines: int) -> None:
    """Merge it into an output that has the same lines."""
    merge_one(path, lines)


WORK: dict[str, Callable[[Path, int], None]] = {
    "status": status,
    "scan": scan,
    "resume": resume,
    "order": order,
    "merge": merge_one,
    "merge_again": merge_again,
}


def measured(what: str, path: Path, lines: int) -> tuple[float, float, int]:
    """Seconds of work and of waiting for it, and the peak of memory in bytes, in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "tests.bench.measure_results",
        "--lines",
        str(lines),
        "--work",
        what,
        str(path),
    ]
    worked, took, peak = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return worked, took, peak


def work(what: str, path: Path, lines: int) -> None:
    began, worked = time.perf_counter(), time.process_time()
    WORK[what](path, lines)
    took, worked = time.perf_counter() - began, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps([worked, took, peak]))


def measure(lines: int, folder: Path) -> dict[str, tuple[float, float, float]]:
    """Seconds of work, seconds on the clock and bytes a line, by what is done."""
    figures = {}
    single, path = folder / "single.jsonl", folder / "results.jsonl"
    write(single, 1)
    write(path, lines)
    for what in WORK:
        _, _, base = measured(what, single, 1)
        worked, took, peak = measured(what, path, lines)
        figures[what] = worked, took, (peak - base) / lines
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--work", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("path", type=Path, nargs="?", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(given.work, given.path, given.lines)
        return
    with tempfile.TemporaryDirectory() as folder:
        for what, (worked, took, memory) in measure(given.lines, Path(folder)).items():
            print(f"{what:<8}{worked:6.1f} s of work, {took:6.1f} s, {memory:4.0f} bytes a line")


if __name__ == "__main__":
    main()
