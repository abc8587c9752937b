"""The measurement of long results files measures what it says; its figures are in ``docs/performance.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batch.codec import decode_result
from tests.bench.measure_results import WORK, measured, write

if TYPE_CHECKING:
    from pathlib import Path

LINES = 100


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "results.jsonl", LINES)
    return tmp_path / "results.jsonl"


@pytest.mark.parametrize("what", WORK)
def test_the_work_is_done(what: str, path: Path) -> None:
    before = path.read_bytes()
    WORK[what](path, LINES)
    assert (path.read_bytes() == before) is (what != "order")
    assert len({decode_result(line).id for line in path.read_bytes().splitlines()}) == LINES


def test_it_is_measured_in_a_process_of_its_own(path: Path) -> None:
    worked, took, peak = measured("scan", path, LINES)
    assert worked > 0
    assert took > 0
    assert peak > 2**20
