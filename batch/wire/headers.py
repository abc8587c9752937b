"""What response headers say about when to come back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NUMBER = re.compile(r"\s*(\d{1,15}(?:\.\d*)?|\.\d+)\s*", re.ASCII)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that the server asks us to wait, from ``retry-after-ms`` or ``retry-after``.

    The latter may be seconds, also fractional, or an HTTP date, which is why ``now`` is needed. ``None``
    where the header is absent, garbage, negative or in the past. ``headers`` must ignore case.
    """
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _seconds(value)
    return seconds if seconds is not None else _until(value, now)


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """The server's explicit word in ``x-should-retry``, if it gives one."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def _seconds(value: str | None) -> float | None:
    number = _NUMBER.fullmatch(value or "")
    return float(number[1]) if number else None


def _until(value: str | None, now: datetime) -> float | None:
    try:
        date = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    seconds = (date - now).total_seconds()
    return seconds if seconds >= 0 else None
