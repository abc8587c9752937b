"""Amounts of money as text: plain decimals with six significant digits, after the currency."""

from __future__ import annotations

from decimal import Decimal
from typing import overload

_DIGITS = 6
_SHORT = 9
_IN_CENTS, _WHOLE = 100, 100_000


@overload
def rounded(amount: float) -> float: ...
@overload
def rounded(amount: None) -> None: ...
def rounded(amount: float | None) -> float | None:
    """Return the amount with six significant digits, without the noise of binary fractions."""
    return None if amount is None else float(f"{amount:.{_DIGITS}g}")


def plain(number: float) -> str:
    """Return the number in digits, never with an exponent: ``0.000012``, not ``1.2e-05``."""
    text = repr(number)
    return f"{Decimal(text):f}" if "e" in text and "inf" not in text else text


def amount_text(amount: float, currency: str | None) -> str:
    """Return an amount of money as text, such as ``USD 0.0132``; without a currency if that is unknown."""
    number = f"{amount:.2f}" if amount >= 10**_DIGITS else plain(rounded(amount)).removesuffix(".0")
    return f"{currency} {number}" if currency else number


def short_amount(amount: float) -> str:
    """Return an amount up to a billion in at most nine characters: four significant digits, or cents."""
    if amount >= _WHOLE:
        return f"{amount:.0f}"
    text = f"{amount:.2f}" if amount >= _IN_CENTS else plain(float(f"{amount:.4g}")).removesuffix(".0")
    return text if len(text) <= _SHORT else f"{amount:.7f}".rstrip("0").rstrip(".")
