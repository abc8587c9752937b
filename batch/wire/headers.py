"""What response headers say about when to come back, and how much is left."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from batch.records import Rate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_RATE_HEADERS = (
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("ratelimit-remaining", "ratelimit-reset"),
)
"""Pairs of what is left, and when there is more: a number of seconds, ``6m0s`` or ``120ms``, or a time."""

_DURATION = re.compile(
    r"(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,9}(?:\.\d{1,9})?)s)?(?:(\d{1,9}(?:\.\d{1,9})?)ms)?", re.ASCII
)
_NUMBER = re.compile(r"\s*(\d{1,15}(?:\.\d*)?|\.\d+)\s*", re.ASCII)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that the server asks us to wait, from ``retry-after-ms`` or ``retry-after``.

    The latter may be seconds, also fractional, or an HTTP date. A date is read against the response's own
    ``date``, and against ``now`` where it has none: the server's clock and ours may differ. LiteLLM passes on
    what the provider behind it says as ``llm_provider-retry-after``. ``None`` where the header is absent,
    garbage, negative or in the past. ``headers`` must ignore case.
    """
    for prefix in ("", "llm_provider-", "llm-provider-"):
        milliseconds = _seconds(headers.get(f"{prefix}retry-after-ms"))
        if milliseconds is not None:
            return milliseconds / 1000
        value = headers.get(f"{prefix}retry-after")
        seconds = _seconds(value)
        if seconds is None:
            seconds = _from(value or "", server_time(headers, now), parsedate_to_datetime)
        if seconds is not None:
            return seconds
    return None


def server_time(headers: Mapping[str, str], now: datetime) -> datetime:
    """The time of the response by the server's own clock; ``now`` where it does not say."""
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, OverflowError):
        return now
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def used_up_for(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until all rate limits with nothing left are reset; ``None`` where none is used up."""
    waits = [
        seconds
        for remaining, reset in _RATE_HEADERS
        if (count := _NUMBER.fullmatch(headers.get(remaining, ""))) is not None
        and float(count[1]) == 0
        and (seconds := _resets_in(headers.get(reset), server_time(headers, now))) is not None
    ]
    return max(waits, default=None)


def rate(headers: Mapping[str, str], now: datetime) -> Rate | None:
    """What the server says of its rate limit: requests that are left, and seconds until there are more.

    ``None`` where it says nothing, or nothing that can be read. Of tokens it counts only where none are left,
    for nobody knows how many requests a number of them stands for. ``headers`` must ignore case. Some servers
    give a time and not a number of seconds, which is why ``now`` is needed.
    """
    for remaining, reset in _RATE_HEADERS:
        left = headers.get(remaining)
        if left is None or ("tokens" in remaining and left.strip() != "0"):
            continue
        count, seconds = _NUMBER.fullmatch(left), _resets_in(headers.get(reset), server_time(headers, now))
        if count is not None and seconds is not None:
            return Rate(int(float(count[1])), seconds)
    return None


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """The server's explicit word in ``x-should-retry``, if it gives one."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def _resets_in(value: str | None, now: datetime) -> float | None:
    seconds = _seconds(value)
    if seconds is not None and seconds >= _EPOCH:
        return _until(seconds if seconds < _EPOCH_MS else seconds / 1000, now)
    if seconds is not None or value is None:
        return seconds
    parts = _DURATION.fullmatch(value.strip())
    if parts is None or not any(parts.groups()):
        return _from(value.strip(), now, datetime.fromisoformat)
    scales = (3600.0, 60.0, 1.0, 0.001)
    return sum(float(part or 0) * scale for part, scale in zip(parts.groups(), scales, strict=True))


_EPOCH, _EPOCH_MS = 1e9, 1e11
"""From here on a number is a time in seconds since 1970, or in milliseconds (OpenRouter's)."""


def _until(epoch: float, now: datetime) -> float | None:
    seconds = epoch - now.timestamp()
    return seconds if seconds >= 0 else None


def _seconds(value: str | None) -> float | None:
    number = _NUMBER.fullmatch(value or "")
    return float(number[1]) if number else None


def _from(value: str, now: datetime, parse: Callable[[str], datetime]) -> float | None:
    """Seconds until a date; ``None`` where it is none, or is past."""
    try:
        date = parse(value)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    seconds = (date - now).total_seconds()
    return seconds if seconds >= 0 else None
