"""What is a change: results of one request, before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from batch.records import Verdict
from batch.results.comparison.changes import Change, answer_of, change_of, circumstances
from tests.support.results_support import failed, succeeded

if TYPE_CHECKING:
    from batch.records import Result


def parsed(text: str, value: Any) -> Result:
    return replace(succeeded("a", text), parsed=value)


def calling(call_id: str, arguments: str) -> Result:
    call = {"id": call_id, "type": "function", "function": {"name": "find", "arguments": arguments}}
    return replace(succeeded("a", ""), tool_calls=[call])


FINE = succeeded("a", "Fine.")

CASES: list[tuple[Result | None, Result | None, str]] = [
    (FINE, succeeded("a", "Fine."), "same"),
    (FINE, succeeded("a", "Fine"), "changed"),
    (FINE, succeeded("a", "Fine. "), "changed"),
    (FINE, replace(FINE, model="large", verdict=Verdict.LENGTH, fingerprint="1" * 32), "same"),
    (FINE, replace(FINE, reasoning="Hm.", attempts=3, metadata={"a": 1}), "same"),
    (FINE, replace(FINE, refusal="No."), "changed"),
    (FINE, failed("a"), "now_failing"),
    (failed("a"), FINE, "now_succeeding"),
    (failed("a", "http_500"), failed("a", "http_500", message="again"), "same"),
    (failed("a", "http_500"), failed("a", "http_503"), "changed"),
    (None, FINE, "added"),
    (None, failed("a"), "added"),
    (FINE, None, "removed"),
    (failed("a"), None, "removed"),
    (parsed('{"n": 1}', {"n": 1}), parsed('{"n":1.0}', {"n": 1.0}), "same"),
    (parsed('{"n": 1}', {"n": 1}), parsed('{"n": 2}', {"n": 2}), "changed"),
    (parsed('{"n": 1}', {"n": 1}), succeeded("a", '{"n": 1}'), "same"),
    (parsed('{"n": 1}', {"n": 1}), succeeded("a", '{"n":1}'), "changed"),
    (calling("call_1", '{"q": 1}'), calling("call_2", '{"q": 1}'), "same"),
    (calling("call_1", '{"q": 1}'), calling("call_1", '{"q": 2}'), "changed"),
]


@pytest.mark.parametrize(("before", "after", "change"), CASES, ids=range(len(CASES)))
def test_changes(before: Result | None, after: Result | None, change: str) -> None:
    assert change_of(before, after) == Change(change)


def test_other_fields_that_differ_are_named() -> None:
    after = replace(FINE, model="large", served_by="large-1", verdict=Verdict.UNVERIFIED, finish_reason=None)
    assert circumstances(FINE, FINE) == ()
    assert circumstances(FINE, after) == ("model", "served_by", "verdict", "finish_reason")


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (FINE, "Fine."),
        (replace(FINE, text="", refusal="No."), "No."),
        (
            calling("call_1", "{}"),
            '[{"type":"function","function":{"name":"find","arguments":"{}"}}]',
        ),
        (failed("a"), ""),
    ],
)
def test_the_text_of_an_answer(result: Result, text: str) -> None:
    assert answer_of(result) == text
