"""Memory does not depend on the length of a job, except for the index of ids."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

ROWS = int(os.environ.get("PROMPTJOBS_ROWS", "60000"))
"""Rows of the long job; the figures of docs/performance.md are with a million."""

FEW = 10_000
ID = 100
"""Bytes that a row may take for its id."""


def run(rows: int, *more: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.engine_run", str(rows), *more]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    print(ended.stdout, end="")
    result = json.loads(ended.stdout)
    assert isinstance(result, dict)
    return result


@pytest.mark.slow
@pytest.mark.parametrize(("more", "ending"), [([], "succeeded"), (["fail"], "failed")])
def test_a_long_job_needs_no_more_memory_than_a_short_one(more: list[str], ending: str) -> None:
    few, many = run(FEW, *more), run(ROWS, *more)
    assert (few[ending], many[ending]) == (FEW, ROWS)
    assert many["peak"] - few["peak"] <= 32 * 2**20 + ID * (ROWS - FEW)
