"""Recognize an output whose first line is damaged, which looks like another program's file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.results.contents import have_results, results_in
from batch.results.line_reader import first_line
from batch.results.output_owner import read_owner

if TYPE_CHECKING:
    from pathlib import Path


def has_damaged_start(path: Path) -> bool:
    """Whether a file is an output although its first line is not a result. Raises ``OSError``.

    It is one if a result follows, or if a run has recorded its job beside it.
    """
    with path.open("rb") as stream:
        start = first_line(stream)
        if not start or results_in(start):
            return False
        return have_results(stream, after=start) or read_owner(path) is not None
