"""Writes ``docs/faults.md`` from the rows that the fault matrix is tested with.

Run as ``python -m tests.make_fault_table``. With ``--check`` it writes nothing, and its exit code is 1 where
the page is out of date.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fault_matrix import ROWS
from tests.fault_support import FRAMINGS

if TYPE_CHECKING:
    from tests.fault_support import Row

PAGE = Path(__file__).parent.parent / "docs" / "faults.md"

HEAD = """\
# What happens when something goes wrong on the wire

This page is made from the data of `tests/test_fault_matrix.py`, which plays every fault below against a real
server on loopback; do not edit it by hand, but run `python -m tests.make_fault_table`.

Positions in a reply: 0 connecting · 1 before the status · 2 in the headers · 3 before the first event ·
4 inside an event · 5 between events · 6 inside a UTF-8 sequence · 7 after the finish reason ·
8 after `[DONE]`.

Outcomes: **S** succeeded · **R** retried within the request's budget, then failed with the code · **R×1**
retried once, then failed · **F** failed at once · **H** the endpoint is held, or narrowed, and the request
waits or stays pending.

The code stands in the result line under `error.code`, the text that had come under `partial_text`. Each case
is played whole, byte by byte and with CRLF line ends, and in both dialects.

| # | fault | at | outcome | played as |
|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(map(_line, ROWS)) + _count()


def _line(row: Row) -> str:
    return f"| {row.number} | {row.fault} | {row.at} | {_outcome(row)} | {_cases(row)} |\n"


def _outcome(row: Row) -> str:
    verdict = f", verdict `{row.verdict}`" if row.verdict not in ("", "complete") else ""
    code = f" `{row.code}`" if row.code else ""
    note = f"; {row.note}" if row.note else ""
    return f"**{row.letter}**{code}{verdict}{note}"


def _cases(row: Row) -> str:
    """The cases by name, each with the number of its positions where there are several."""
    names = Counter(case.name for case in row.cases)
    return " · ".join(f"{name} ({count}×)" if count > 1 else name for name, count in names.items())


def _count() -> str:
    cases = sum(len(row.cases) for row in ROWS)
    return f"\n{cases} cases in {len(FRAMINGS)} framings.\n"


def main() -> int:
    """Write the page, or check it; the exit code is 1 where a check finds it out of date."""
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page() else 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
