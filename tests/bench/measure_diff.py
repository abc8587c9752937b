"""What comparing large outputs costs: ``python -m tests.bench.measure_diff --rows 100000``.

Both outputs have the rows of ``measure_report``, of 1 kB each. In the second one, every tenth answer has a
word less, and every thousandth request is missing. The command runs in a process of its own, whose peak of
memory is shown.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from msgspec.structs import replace

from batch.codec import decode_result, encode_result
from tests.bench.measure_report import write


def write_changed(before: Path, after: Path) -> None:
    """Write the second output."""
    with before.open("rb") as lines, after.open("wb") as file:
        for number, line in enumerate(lines):
            if number % 1000 == 1:
                continue
            file.write(_changed(line) if number % 10 == 5 else line)


def _changed(line: bytes) -> bytes:
    """Return a line without the first word of its answer."""
    result = decode_result(line)
    return encode_result(replace(result, text=result.text and result.text.partition(" ")[2]))


def compare(before: Path, after: Path, *flags: str) -> tuple[float, float, int, str]:
    """Return the seconds of processor and on the clock, the peak of memory in bytes, and what is printed."""
    command = [sys.executable, "-m", "batch", "diff", str(before), str(after), *flags]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 1, process.returncode
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return used.ru_utime + used.ru_stime, time.perf_counter() - began, peak, printed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--html", action="store_true", help="also write the page")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        before, after, page = (Path(folder, name) for name in ("before.jsonl", "after.jsonl", "page.html"))
        write(before, given.rows, 430)
        write_changed(before, after)
        print(f"{given.rows} rows, twice {before.stat().st_size / 1e6:.0f} MB of results")
        for flags in ([], ["--html", str(page)])[: 1 + given.html]:
            worked, took, peak, _ = compare(before, after, *flags)
            how = "as a page" if flags else "as text"
            print(f"{how}: {worked:.1f} s of work in {took:.1f} s, {peak / 1e6:.0f} MB of memory")
        if given.html:
            print(f"the page has {page.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
