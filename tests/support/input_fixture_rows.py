"""The rows in the files below ``tests/fixtures/inputs``, which other programs have written."""

from __future__ import annotations

FORMS = (
    "tea {n}",
    "a, b {n}",
    'say "{n}" now',
    "x\ny {n}",
    "é漢😀 {n}",
    "C:\\new\\{n}",
    "p;q {n}",
    "<u> & 'v' {n}",
    "None nan null {n}",
    "it's {n}%",
)
"""Texts that every format has to quote, escape or encode in its own way."""


def fixture_rows() -> list[tuple[str, str]]:
    """A thousand ids and texts."""
    return [(f"r{n}", FORMS[n % len(FORMS)].format(n=n)) for n in range(1000)]
