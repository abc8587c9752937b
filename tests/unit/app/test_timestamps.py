"""Dates of results and summaries: UTC, whatever the machine's zone, and never a second off."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.app.run.timestamps import exact_utc_now, utc_now


@given(st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)))
def test_a_date_is_the_time_to_the_millisecond(at: datetime) -> None:
    nanoseconds = (at - datetime(1970, 1, 1)) // (datetime.resolution) * 1000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: nanoseconds)
        patch.setattr(time, "time", lambda: nanoseconds / 1e9)
        whole = at.replace(tzinfo=UTC).isoformat(timespec="milliseconds")
        assert exact_utc_now() == whole.replace("+00:00", "Z")
        assert utc_now() == whole[:19] + "Z"


def test_the_zone_of_the_machine_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        now = datetime.now(UTC)
        said = datetime.fromisoformat(exact_utc_now())
        assert abs((said - now).total_seconds()) < 60
    finally:
        monkeypatch.undo()
        time.tzset()
