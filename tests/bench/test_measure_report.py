"""The measurement of large reports measures what it says; its figures are in ``docs/report.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.report.page import MARK
from tests.bench.measure_report import NEEDLE, make, write

if TYPE_CHECKING:
    from pathlib import Path


def test_one_answer_has_the_needle_and_the_page_is_made_in_a_process_of_its_own(tmp_path: Path) -> None:
    output, page = tmp_path / "results.jsonl", tmp_path / "results.html"
    write(output, 100, 430)
    lines = output.read_bytes().splitlines()
    assert len(lines) == 100
    assert sum(NEEDLE.encode() in line for line in lines) == 1
    worked, took, peak = make(output, page)
    assert worked > 0
    assert took > 0
    assert peak > 2**20
    assert page.read_text("utf-8").startswith(MARK)
