"""Numbers as a page shows them."""

from __future__ import annotations

import pytest

from batch.report.numbers import count, decimal, duration, moment, money, percent


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (count(1234567), "1,234,567"),
        (decimal(0.01234567), "0.01235"),
        (decimal(25.0), "25"),
        (decimal(123456.7), "123,457"),
        (percent(0, 0), "–"),
        (percent(1, 3), "33.3 %"),
        (percent(99_999, 100_000), "99.9 %"),  # 100 % is said only of all
        (percent(1, 100_000), "0.1 %"),
        (percent(5, 5), "100 %"),
        (percent(0, 5), "0 %"),
        (duration(None), "–"),
        (duration(0.24), "0.24 s"),
        (duration(12.34), "12.3 s"),
        (duration(59.99), "1 min"),
        (duration(250), "4 min 10 s"),
        (duration(7500), "2 h 5 min"),
        (money(None, "USD"), "–"),
        (money(0.01234567, None), "0.0123457"),
        (money(1234.5, "EUR"), "EUR 1234.5"),
        (moment("2026-11-29T05:10:42.123Z"), "2026-11-29 05:10:42"),
        (moment("yesterday"), "yesterday"),
    ],
)
def test_numbers(shown: str, expected: str) -> None:
    assert shown == expected
