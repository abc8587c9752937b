"""Retry delays and quotas in the fields of an error body; its wording is never read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s", re.ASCII)
_MAX_LEVELS = 8
_MAX_OBJECTS = 1000


def wait_in_body(error: Any) -> float | None:
    """Return the seconds to wait, from Google's ``RetryInfo.retryDelay`` (``"55s"``) or ``retry_after``.

    Return the longest of several; ``None`` if there is none.
    """
    waits = [wait for found in _objects(error) if (wait := _wait_of(found)) is not None]
    return max(waits, default=None)


def has_daily_quota(error: Any) -> bool:
    """Whether the error reports a used-up daily quota (Google's ``QuotaFailure``, by its quota id)."""
    ids = (found.get("quotaId") for found in _objects(error))
    return any(isinstance(name, str) and "perday" in name.lower() for name in ids)


def _wait_of(found: dict[str, Any]) -> float | None:
    delay = found.get("retryDelay")
    if isinstance(delay, dict):  # a duration as a protobuf object
        delay = f"{delay.get('seconds', 0)}s"
    if isinstance(delay, str) and (parts := _SECONDS.fullmatch(delay.strip())):
        return float(parts[1])
    number = found.get("retry_after")
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    return float(number) if number is not None and is_number and 0 <= number < 1e9 else None


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects inside a value, level by level, up to a limit."""
    level, seen = [value], 0
    for _ in range(_MAX_LEVELS):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                yield item
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        level = [item for item in inner if isinstance(item, dict | list)][:_MAX_OBJECTS]
        seen += len(level)
        if not level or seen > _MAX_OBJECTS:
            return
