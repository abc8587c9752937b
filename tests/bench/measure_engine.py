"""What the engine costs a request: ``python -m tests.bench.measure_engine``.

Microseconds of the processor as the slope between N and 3N rows, so that imports, start and end do not count:
reading and checking rows, rendering, scheduling, settling and writing results. The endpoint costs nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys


def worked(rows: int, *more: str) -> float:
    """Seconds of the processor for a run of so many rows."""
    command = [sys.executable, "-m", "tests.bench.engine_run", str(rows), *more]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(ended.stdout)["cpu"])


def slope(rows: int, *more: str) -> float:
    """Microseconds a request."""
    return (worked(3 * rows, *more) - worked(rows, *more)) / (2 * rows) * 1e6


def main() -> None:
    """Measure, and print the median and all it was taken from."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    for what, more in (("succeeds", ()), ("fails", ("fail",))):
        runs = [slope(options.rows, *more) for _ in range(options.repeats)]
        figures = ", ".join(f"{run:.1f}" for run in sorted(runs))
        print(f"a request that {what}: {statistics.median(runs):.1f} µs ({figures})")


if __name__ == "__main__":
    main()
