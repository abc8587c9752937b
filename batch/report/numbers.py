"""Numbers as a page shows them."""

from __future__ import annotations

from batch.amounts import amount_text

NONE = "–"


def count(number: int) -> str:
    """``1,234,567``."""
    return f"{number:,}"


def decimal(number: float) -> str:
    """Return up to four significant digits, and whole numbers in full: ``0.0123``, ``1,234,567``."""
    if number == int(number) and abs(number) < 1e15:
        return f"{int(number):,}"
    return f"{number:,.0f}" if abs(number) >= 10_000 else f"{number:.4g}"


def percent(part: int, whole: int) -> str:
    """Return a share with one decimal, and 0 or 100 only if it is exact: ``99.9 %``."""
    if not whole:
        return NONE
    share = 100 * part / whole
    shown = min(max(round(share, 1), 0.1), 99.9) if 0 < part < whole else share
    return f"{shown:.1f} %".replace(".0 %", " %")


def duration(seconds: float | None) -> str:
    """``0.24 s``, ``12.3 s``, ``4 min 10 s``, ``2 h 5 min``."""
    if seconds is None:
        return NONE
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def money(amount: float | None, currency: str | None) -> str:
    """Return an amount after its currency, as ``amount_text`` does."""
    return NONE if amount is None else amount_text(amount, currency)


def moment(text: str) -> str:
    """Return a time in UTC, ISO 8601, as ``2026-11-29 05:10:42``; another text unchanged."""
    if len(text) >= 20 and text[10] == "T" and text.endswith("Z"):
        return f"{text[:10]} {text[11:19]}"
    return text
