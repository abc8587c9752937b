"""``batch.amounts``: money as people write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.amounts import amount_text, plain, rounded, short_amount

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


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0.0, "0"),
        (1e-9, "0"),
        (0.00001234567, "0.0000123"),
        (0.000123456, "0.0001235"),
        (0.75, "0.75"),
        (1.0, "1"),
        (12.3456, "12.35"),
        (100.0, "100.00"),
        (12345.678, "12345.68"),
        (123456.789, "123457"),
    ],
)
def test_short_amounts(amount: float, text: str) -> None:
    assert short_amount(amount) == text


@given(st.floats(min_value=0, max_value=999_999_999))
def test_short_amounts_are_short(amount: float) -> None:
    text = short_amount(amount)
    assert len(text) <= 9
    assert float(text) == pytest.approx(amount, rel=1e-3, abs=1e-7)
