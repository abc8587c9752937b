"""Retry times and rate limits in response headers."""

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
"""Pairs of headers: what remains, and when it is reset (seconds, ``6m0s``, ``120ms``, or a time)."""

_RATE_MARK = "ratelimit-"
"""In each of these names."""

_DURATION = re.compile(
    r"(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,9}(?:\.\d{1,9})?)s)?(?:(\d{1,9}(?:\.\d{1,9})?)ms)?", re.ASCII
)
_NUMBER = re.compile(r"\s*(\d{1,15}(?:\.\d*)?|\.\d+)\s*", re.ASCII)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that the server asks to wait, from ``retry-after-ms`` or ``retry-after``.

    The latter may be seconds, also fractional, or an HTTP date. A date is relative to the response's own
    ``date`` header, or to ``now`` without one: the clocks of server and client may differ. LiteLLM forwards
    the header of the provider behind it as ``llm_provider-retry-after``. ``None`` if the header is absent,
    invalid, negative or in the past. ``headers`` must ignore case.
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
    """Return the time of the response by the server's clock; ``now`` if it does not send one."""
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, OverflowError):
        return now
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def used_up_for(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds until all used-up rate limits are reset; ``None`` if none is used up."""
    waits = [
        seconds
        for remaining, reset in _RATE_HEADERS
        if (count := _NUMBER.fullmatch(headers.get(remaining, ""))) is not None
        and float(count[1]) == 0
        and (seconds := _resets_in(headers.get(reset), server_time(headers, now))) is not None
    ]
    return max(waits, default=None)


def may_have_rate(headers: Mapping[str, str]) -> bool:
    """Whether ``rate`` may find something. Few servers send such headers, and this is cheaper."""
    return _RATE_MARK in "".join(headers).lower()


def rate(headers: Mapping[str, str], now: datetime) -> Rate | None:
    """Return the rate limit that the server reports: remaining requests, and seconds until the reset.

    ``None`` if it reports nothing that can be read. A token limit counts only if no tokens are left, because
    the number of requests for a number of tokens is unknown. ``headers`` must ignore case. Some servers send
    a time instead of a number of seconds; so ``now`` is needed.
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
    """Return the value of ``x-should-retry``, if the server sends it."""
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
"""Numbers from this value on are seconds since 1970, or milliseconds (OpenRouter)."""


def _until(epoch: float, now: datetime) -> float | None:
    seconds = epoch - now.timestamp()
    return seconds if seconds >= 0 else None


def _seconds(value: str | None) -> float | None:
    number = _NUMBER.fullmatch(value or "")
    return float(number[1]) if number else None


def _from(value: str, now: datetime, parse: Callable[[str], datetime]) -> float | None:
    """Return the seconds until a date; ``None`` if it is not a date, or is past."""
    try:
        date = parse(value)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    seconds = (date - now).total_seconds()
    return seconds if seconds >= 0 else None
