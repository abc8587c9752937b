"""Summaries, results and lists of results as the tables of a notebook."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import batch
from batch.records import Result, Timings
from batch.result_list import MAX_ROWS
from batch.run_summary import Summary
from tests.support.results_support import failed, hostile_results, succeeded

SUMMARY = Summary(
    1, "job", "output/job.jsonl", 1, 1200, 1190, 10, 0, 1200, 1210, 5000, 700, 0.25, 0, 4.5,
    ["m: http_429: busy"], 0, 0, {"http_500": 10}, None, None, "", "", None, {},
)  # fmt: skip


def cells(html: str) -> list[str]:
    return re.findall(r"<t[dh]>([^<]*)</t[dh]>", html)


def test_a_summary() -> None:
    assert cells(SUMMARY._repr_html_()) == [
        "job", "job", "output", "output/job.jsonl",
        "ended", "exit code 1: finished; some requests failed or are pending",
        "succeeded", "1,190 of 1,200", "failed", "10: 10 http_500", "tokens", "5,000 in, 700 out",
        "cost", "USD 0.25", "seconds", "4.5", "reason", "m: http_429: busy",
    ]  # fmt: skip


def test_a_result() -> None:
    assert cells(failed("b")._repr_html_()) == [
        "id", "b", "status", "failed", "model", "summary",
        "error", "http_500: Internal error", "attempts", "2",
    ]  # fmt: skip


def test_a_list_of_results() -> None:
    first = replace(succeeded("a", "Fish & <chips>"), timings=Timings(None, None, 1.5))
    assert cells(batch.Results([first, failed("b\u202e")])._repr_html_()) == [
        "id", "status", "model", "tokens", "seconds", "text or error",
        "a", "succeeded", "summary", "3+5", "1.5", "Fish &amp; &lt;chips&gt;",
        "b\\u202e", "http_500", "summary", "", "", "Internal error",
    ]  # fmt: skip


def test_a_long_list_is_shown_in_part() -> None:
    html = batch.Results([succeeded(str(number)) for number in range(MAX_ROWS + 1234)])._repr_html_()
    assert html.count("<tr>") == MAX_ROWS + 1
    assert html.endswith("<p>and 1,234 more</p>")


@given(st.lists(hostile_results, max_size=3))
def test_no_text_adds_an_element(results: list[Result]) -> None:
    html = batch.Results(results)._repr_html_() + "".join(result._repr_html_() for result in results)
    assert set(re.findall(r"<[^>]*>?", html)) <= {
        "<table>", "</table>", "<thead>", "</thead>", "<tbody>", "</tbody>", "<tr>", "</tr>", "<th>", "</th>",
        "<td>", "</td>",
    }  # fmt: skip
