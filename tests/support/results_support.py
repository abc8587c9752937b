"""Results to write, and hypothesis strategies for hostile ones."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from batch.records import SCHEMA_VERSION, Mishap, Result, ResultError, Timings, Usage, Verdict


def succeeded(request_id: str, text: str = "An answer.", *, fingerprint: str = "0" * 32) -> Result:
    """A plain success with 3 + 5 tokens."""
    return Result(
        schema_version=SCHEMA_VERSION,
        id=request_id,
        fingerprint=fingerprint,
        status="succeeded",
        text=text,
        verdict=Verdict.COMPLETE,
        finish_reason="stop",
        error=None,
        partial_text=None,
        reasoning=None,
        tool_calls=None,
        refusal=None,
        parsed=None,
        model="summary",
        served_by=None,
        usage=Usage(3, 5, 8),
        cost=None,
        attempts=1,
        timings=Timings(0.0, 0.1, 0.2),
        completed_at="2026-11-22T17:00:00Z",
        metadata={},
    )


def failed(
    request_id: str,
    code: str = "http_500",
    *,
    message: str = "Internal error",
    retryable: bool = True,
    runs: int = 1,
    fingerprint: str = "0" * 32,
) -> Result:
    """A failure with one mishap in its history and no usage."""
    at = "2026-11-22T17:00:00Z"
    return Result(
        schema_version=SCHEMA_VERSION,
        id=request_id,
        fingerprint=fingerprint,
        status="failed",
        text=None,
        verdict=None,
        finish_reason=None,
        error=ResultError(code, message, None, retryable, runs, [Mishap(code, message, at)]),
        partial_text="An ans",
        reasoning=None,
        tool_calls=None,
        refusal=None,
        parsed=None,
        model="summary",
        served_by=None,
        usage=None,
        cost=None,
        attempts=2,
        timings=Timings(None, None, None),
        completed_at=at,
        metadata={},
    )


LINE_ENDS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
"""Everything that ``str.splitlines`` or another reader takes for the end of a line."""

hostile_text = st.text(
    st.characters() | st.characters(categories=["Cs"]) | st.sampled_from(LINE_ENDS + '\0"\\{}\u202e\ufeff'),
    max_size=40,
)
"""Any code points, lone surrogates included, with a taste for what breaks lines and JSON."""

_json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | hostile_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile_text, inner, max_size=3),
    max_leaves=8,
)
_json_objects = st.dictionaries(hostile_text, _json_values, max_size=3)
_seconds = st.none() | st.floats(min_value=0, allow_infinity=False)
_tokens = st.none() | st.integers(0, 10**9)

_errors = st.builds(
    ResultError,
    code=hostile_text,
    message=hostile_text,
    http_status=st.none() | st.integers(100, 599),
    retryable=st.booleans(),
    runs=st.integers(1, 9),
    history=st.lists(st.builds(Mishap, hostile_text, hostile_text, hostile_text), max_size=2),
)

hostile_results: st.SearchStrategy[Result] = st.builds(
    Result,
    schema_version=st.just(SCHEMA_VERSION),
    id=hostile_text,
    fingerprint=hostile_text,
    status=st.sampled_from(["succeeded", "failed"]),
    text=st.none() | hostile_text,
    verdict=st.none() | st.sampled_from(Verdict),
    finish_reason=st.none() | hostile_text,
    error=st.none() | _errors,
    partial_text=st.none() | hostile_text,
    reasoning=st.none() | hostile_text,
    tool_calls=st.none() | st.lists(_json_objects, max_size=2),
    refusal=st.none() | hostile_text,
    parsed=_json_values,
    model=hostile_text,
    served_by=st.none() | hostile_text,
    usage=st.none() | st.builds(Usage, _tokens, _tokens, _tokens),
    cost=st.none() | st.floats(min_value=0, allow_infinity=False),
    attempts=st.integers(0, 99),
    timings=st.builds(Timings, _seconds, _seconds, _seconds),
    completed_at=hostile_text,
    metadata=_json_objects,
    messages=st.none() | st.lists(_json_objects, max_size=2),
)
"""Results of every shape, full of hostile text in every place that takes text."""
