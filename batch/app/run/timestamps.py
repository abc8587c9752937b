"""Times as in results and summaries: UTC, ISO 8601."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache


def utc_now() -> str:
    """The time, to the second."""
    return f"{_until_second(int(time.time()))}Z"


def exact_utc_now() -> str:
    """The time, to the millisecond."""
    second, millisecond = divmod(time.time_ns() // 1_000_000, 1000)
    return f"{_until_second(second)}.{millisecond:03d}Z"


@lru_cache(maxsize=1)
def _until_second(epoch: int) -> str:
    """Cached, without a zone: many results end in the same second, and formatting is expensive."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S")
