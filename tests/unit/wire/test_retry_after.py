"""Retry-After in all its valid and invalid forms."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from batch.wire.retry_headers import retry_after, should_retry
from tests.support.wire_support import FUZZ

NOW = datetime(2026, 11, 22, 17, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        # seconds
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "7"}, 7.0),
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": ".5"}, 0.5),
        ({"retry-after": "86400"}, 86400.0),
        # milliseconds, which win
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "0.5"}, 0.0005),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after-ms": "-1", "retry-after": "7"}, 7.0),
        # dates, in the three forms of HTTP
        ({"retry-after": "Sun, 22 Nov 2026 17:00:30 GMT"}, 30.0),
        ({"retry-after": "Sunday, 22-Nov-26 17:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun Nov 22 17:00:30 2026"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 18:00:30 +0100"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 17:00:00 GMT"}, 0.0),
        # nothing that could be obeyed
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-7"}, None),
        ({"retry-after": "+7"}, None),
        ({"retry-after": "7s"}, None),
        ({"retry-after": "7, 8"}, None),
        ({"retry-after": "1_000"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "0x10"}, None),
        ({"retry-after": "٧"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "Sun, 22 Nov 2026 16:59:59 GMT"}, None),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, None),
        ({"retry-after": "Sun, 99 Nov 2026 17:00:30 GMT"}, None),
        ({"retry-after": "Sun, 22 Nov 99999999999999999999 17:00:30 GMT"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 17:00:30 +9999999999999999"}, None),
    ],
    ids=str,
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(CIMultiDict(headers), NOW) == seconds


@FUZZ
@given(st.text(max_size=40) | st.from_regex(r"\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ [+-]?\w+", fullmatch=True))
def test_fuzz_no_retry_header_raises(value: str) -> None:
    headers = CIMultiDict({"retry-after": value, "x-should-retry": value})
    seconds = retry_after(headers, NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({"x-should-retry": "true"}, True),
        ({"X-Should-Retry": " False "}, False),
        ({"x-should-retry": "1"}, None),
        ({"x-should-retry": ""}, None),
        ({}, None),
    ],
    ids=str,
)
def test_should_retry(headers: dict[str, str], word: bool | None) -> None:
    assert should_retry(CIMultiDict(headers)) is word
