"""``batch.amounts``: money as people write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.amounts import amount_text, plain, rounded

TEXTS = [
    (0.0, "USD 0"),
    (0.0132, "USD 0.0132"),
    (1.2000000000000002e-05, "USD 0.000012"),
    (0.1 + 0.2, "USD 0.3"),
    (70.0, "USD 70"),
    (1234.5678, "USD 1234.57"),
    (1234567.891, "USD 1234567.89"),
    (1.23456789e-9, "USD 0.00000000123457"),
]


@pytest.mark.parametrize(("amount", "text"), TEXTS)
def test_an_amount_is_in_digits_after_its_currency(amount: float, text: str) -> None:
    assert amount_text(amount, "USD") == text


def test_an_amount_of_unknown_currency_has_none() -> None:
    assert amount_text(0.5, None) == "0.5"


@given(st.floats(min_value=1e-12, max_value=1e12))
def test_rounding_keeps_six_digits(amount: float) -> None:
    assert rounded(amount) == pytest.approx(amount, rel=1e-5)
    assert rounded(rounded(amount)) == rounded(amount)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_plain_digits_are_the_same_number(number: float) -> None:
    assert "e" not in plain(number)
    assert float(plain(number)) == number
