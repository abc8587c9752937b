"""The ways of one request, retry, chunk and key are short, and the page lists them as they are."""

from __future__ import annotations

import pytest

from tests.docs.trace_ways import PAGE, page, ways
from tests.support.value_trace import Way, holds, is_text

LIMITS = {"One request": 20, "One retry": 8, "One SSE chunk": 8, "One key": 10}
"""Most modules that may pass the value on."""

THROUGH = [
    ("One request", ["scheduling.backlog", "runner", "providers.http1", "results.result_log"]),
    ("One retry", ["wire.error_classification", "scheduling.failure_judgement"]),
    ("One SSE chunk", ["providers.aiohttp_transport", "wire.sse", "wire.reply_builder"]),
    ("One key", ["app.setup.environment", "providers.credentials", "providers.http1"]),
]
"""Stations that each way has, in this order."""


@pytest.fixture(scope="module")
def traced() -> dict[str, Way]:
    return {way.title: way for way in ways()}


def test_the_page_is_current(traced: dict[str, Way]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text, traced.values()) == text, "run python -m tests.docs.trace_ways"


@pytest.mark.parametrize(("title", "limit"), LIMITS.items())
def test_a_way_is_short(traced: dict[str, Way], title: str, limit: int) -> None:
    assert len(traced[title].passed) <= limit


@pytest.mark.parametrize(("title", "stations"), THROUGH)
def test_a_way_has_its_stations_in_order(traced: dict[str, Way], title: str, stations: list[str]) -> None:
    assert [name for name in traced[title].passed if name in stations] == stations


def test_a_value_is_found_in_records_and_collections() -> None:
    way = Way("a needle", "", [], ["b"], [])
    assert holds(way, lambda value: is_text(value, "needle"))
    assert holds([{"key": (b"the needle",)}], lambda value: is_text(value, "needle"))
    assert not holds([{"needle": "key"}], lambda value: is_text(value, "needle"))
