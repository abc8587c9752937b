"""The whole command as a client: a job file with one row a request, its results on disk, each compared."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tests.bench.clients.drive import PROMPT

if TYPE_CHECKING:
    from pathlib import Path

JOB = """\
name: bench
provider: autonomous
model: summary
base_url: {url}
prompt: "{{{{ text }}}}"
inputs: {{jsonl: rows.jsonl}}
concurrency: {in_flight}
adaptive: false  # all clients are measured with the same number in flight
output: {{path: results.jsonl}}
"""


def prepare(directory: Path, url: str, requests: int, in_flight: int) -> list[str]:
    """Write a job of so many rows and return the command line that runs it."""
    directory.mkdir(parents=True)
    (directory / "job.yaml").write_text(JOB.format(url=url, in_flight=in_flight))
    with (directory / "rows.jsonl").open("w") as file:
        for number in range(requests):
            file.write(json.dumps({"id": f"row-{number}", "text": f"{number}: {PROMPT}"}) + "\n")
    return [sys.executable, "-m", "batch", "run", str(directory / "job.yaml"), "-q"]


def wrong(directory: Path, requests: int, expected: str) -> int:
    """How many of the requests have no line with the text as served."""
    right = set()
    for line in (directory / "results.jsonl").read_bytes().splitlines():
        result = json.loads(line)
        if result["text"] == expected:
            right.add(result["id"])
    return len({f"row-{number}" for number in range(requests)} - right)


def lags(directory: Path, ideal: float) -> list[float]:
    """How many seconds after its stream ended each reply was known to be whole, sorted."""
    lines = (directory / "results.jsonl").read_bytes().splitlines()
    return sorted(json.loads(line)["timings"]["total"] - ideal for line in lines)
