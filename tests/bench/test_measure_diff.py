"""The measurement of large comparisons measures what it says; its figures are in ``docs/diff.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.measure_diff import compare, write_changed
from tests.bench.measure_report import write

if TYPE_CHECKING:
    from pathlib import Path


def test_every_tenth_answer_differs_and_the_command_is_a_process_of_its_own(tmp_path: Path) -> None:
    before, after = tmp_path / "before.jsonl", tmp_path / "after.jsonl"
    write(before, 100, 430)
    write_changed(before, after)
    worked, took, peak, printed = compare(before, after)
    assert "99 requests in both: 89 same, 10 changed\n1 removed\n" in printed
    assert worked > 0
    assert took > 0
    assert peak > 2**20
