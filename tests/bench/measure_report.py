"""What a large report costs: ``python -m tests.bench.measure_report --rows 100000``.

A line of the output has 1 kB; 430 characters of it are the answer (``--length``), which has words of the
documents in ``jobs/``, as frequent as there, in random order. Every hundredth request has failed. The report
is made by a process of its own, whose peak of memory is shown. Chromium then opens it from the disk, and
searches all texts for a word that is in one answer. Both times include the start of the browser.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from msgspec.structs import replace

from batch.codec import encode_result
from batch.records import Timings, Usage
from batch.report.packing import rank
from tests.support.browser import MISSING, browser, opened
from tests.support.results_support import failed, succeeded

NEEDLE = "zyzzyva"


def _marked(rows: int) -> int:
    """Return the number of a row in the middle whose texts are kept longest."""
    return max(range(rows // 4, rows // 2), key=lambda number: (rank(_name(number), is_first=False), -number))


def _name(number: int) -> str:
    return f"documents/{number:07}.txt"


def write(path: Path, rows: int, length: int) -> None:
    """Write an output with so many rows; one answer in the middle has the needle."""
    texts = "\n".join(each.read_text() for each in sorted(Path("jobs/documents").glob("*.txt")))
    words = re.findall(r"\S+", texts)
    source, marked = random.Random(7), _marked(rows)
    with path.open("wb") as file:
        for number in range(rows):
            name, fingerprint = _name(number), f"{number:032x}"
            if number % 100 == 0:
                message = f"POST http://127.0.0.1:8000/v1/chat/completions returned 500: request {number}"
                file.write(encode_result(failed(name, fingerprint=fingerprint, message=message)))
                continue
            text = " ".join(source.choices(words, k=length // 4))[:length]
            if number == marked:
                text += f" {NEEDLE}"
            seconds = round(source.lognormvariate(0, 0.5), 3)
            result = succeeded(name, text, fingerprint=fingerprint)
            usage = Usage(source.randrange(200, 900), length // 4, None)
            timings = Timings(0.0, seconds / 4, seconds)
            file.write(encode_result(replace(result, usage=usage, timings=timings, cost=seconds / 1e4)))


def make(path: Path, page: Path) -> tuple[float, float, int]:
    """Make the report in a process of its own: seconds of its processor and on the clock, peak of memory."""
    command = [sys.executable, "-m", "tests.bench.measure_report", "--make", str(path), str(page)]
    began = time.perf_counter()
    printed = subprocess.run(command, check=True, capture_output=True).stdout
    worked, peak = json.loads(printed.splitlines()[-1])
    return worked, time.perf_counter() - began, peak


def search(page: Path, rows: int) -> tuple[float, float, float]:
    """Return the seconds until the browser runs, the table is there, and all texts have been searched."""
    began = time.perf_counter()
    with browser() as running, opened(running) as shown:
        started = time.perf_counter() - began
        shown.open(page)
        ready = time.perf_counter() - began
        shown.page.fill("input[type=search]", NEEDLE)
        shown.wait(f"document.querySelector('.tools output').textContent === '1 of {rows:,} results'")
        found = time.perf_counter() - began
        assert not shown.said, shown.said
    return started, ready, found


def _make(path: str, page: str) -> None:
    from batch.app.inspect.report import of_output
    from batch.app.inspect.report import write as write_report
    from batch.report.model import Settings

    write_report([of_output(Path(path))], Path(page), Settings())
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps([used.ru_utime + used.ru_stime, peak]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--length", type=int, default=430)
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:
        _make(*given.make)
        return
    with tempfile.TemporaryDirectory() as folder:
        output, page = Path(folder, "results.jsonl"), Path(folder, "results.html")
        write(output, given.rows, given.length)
        print(f"{given.rows} rows, {output.stat().st_size / 1e6:.0f} MB of results")
        worked, took, peak = make(output, page)
        size = page.stat().st_size
        print(f"made with {worked:.1f} s of work in {took:.1f} s and {peak / 1e6:.0f} MB of memory")
        print(f"the page has {size / 1e6:.1f} MB")
        if not MISSING:
            started, ready, found = search(page, given.rows)
            print(f"browser after {started:.1f} s, opened after {ready:.1f} s, searched after {found:.1f} s")


if __name__ == "__main__":
    main()
