"""A comparison of two outputs as one JSON object, which is printed while it is made."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from batch.codec import encode_json
from batch.results.comparison.changes import (
    CIRCUMSTANCES,
    DIFFERENCES,
    Change,
    are_parsed,
    code_of,
)
from batch.results.comparison.field_changes import field_changes
from batch.terminal_escaping import escape_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.app.inspect.diff import Comparison, Pair, Side, Totals
    from batch.records import JSONObject, Result
    from batch.results.comparison.measures import Measures


def pieces(comparison: Comparison, before: Side, after: Side, limit: int | None) -> Iterator[str]:
    """Yield the lines of the object: its head, then one line for each change, at most ``limit`` of a kind."""
    head = _encoded(_head(comparison.totals, before, after))
    yield f'{head[:-1]},"changes":['
    changes = chain.from_iterable(islice(comparison.pairs(change), limit) for change in DIFFERENCES)
    previous = ""
    for pair in changes:
        if previous:
            yield f"{previous},"
        previous = _encoded(_change(pair))
    yield f"{previous}]}}"


def _encoded(value: JSONObject) -> str:
    return escape_json(encode_json(value).decode())


def _head(totals: Totals, before: Side, after: Side) -> JSONObject:
    return {
        "schema_version": 1,
        "equal": totals.are_equal,
        "counts": {change.value: totals.changes[change] for change in Change},
        "same_answer_other": {name: totals.circumstances[name] for name in CIRCUMSTANCES},
        "never_superseded": totals.never_superseded,
        "before": _side(before, totals.before, totals.damaged[0]),
        "after": _side(after, totals.after, totals.damaged[1]),
    }


def _side(side: Side, measures: Measures, damaged: int) -> JSONObject:
    median, slow = measures.latency() or (None, None)
    return {
        "output": str(side.output),
        "damaged": damaged,
        "prompt_tokens": measures.prompt_tokens,
        "completion_tokens": measures.completion_tokens,
        "cost": measures.cost,
        "unknown_costs": measures.unpriced,
        "currency": side.currency,
        "latency": {"p50": median, "p90": slow},
    }


def _change(pair: Pair) -> JSONObject:
    change: JSONObject = {
        "id": pair.id,
        "change": pair.change.value,
        "before": _result(pair.before),
        "after": _result(pair.after),
    }
    if pair.before is not None and pair.after is not None and are_parsed(pair.before, pair.after):
        change["fields"] = [
            {"path": each.path, **_present("before", each.before), **_present("after", each.after)}
            for each in field_changes(pair.before.parsed, pair.after.parsed)
        ]
    return change


def _present(name: str, value: Any) -> JSONObject:
    return {} if value is UNSET else {name: value}


def _result(result: Result | None) -> JSONObject | None:
    if result is None:
        return None
    return {
        "status": result.status,
        "code": code_of(result) or None,
        "message": result.error and result.error.message,
        **{name: getattr(result, name) for name in CIRCUMSTANCES},
        **{name: getattr(result, name) for name in ("text", "refusal", "tool_calls", "parsed")},
    }
