"""What to write in place of a value of another type."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batch.diagnostics import number_hint, shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from batch.diagnostics import At

_TABLE = re.compile(r"\.(csv|jsonl|parquet)\Z")
_SHORT = 30
"""Maximum number of characters of a value that a hint repeats."""

_FORMS = {
    "prompts": "- prompt: …",
    "messages": "- {role: user, content: …}",
    "inputs": "inputs: {files: [documents/*.txt]}",
    "split": "split: {tokens: 2000}",
    "matrix": "matrix: {tone: [formal, casual]}",
    "output": "output: {path: results.jsonl}",
    "retries": "retries: {max_attempts: 3}",
    "timeouts": "timeouts: {idle: 120s}",
    "limits": "limits: {time: 2h}",
    "rate_limits": "rate_limits: {rpm: 60}",
    "finish_reasons": "finish_reasons: {complete: [done]}",
    "price": "price: {input: 0.15, output: 0.60}",
    "response_format": "response_format: {type: json_object}",
    "params": "params: {temperature: 0}",
    "headers": "headers: {X-Team: research}",
}
"""Parts with several keys for which users often write a single value."""


def _form_hint(at: At) -> str:
    """Return the correct form of a part that was written in a shorter way."""
    keys = [step for step in at if isinstance(step, str)]
    return f"write `{form}`" if keys and (form := _FORMS.get(keys[-1])) else ""


def type_hint(details: ErrorDetails) -> str:
    """Return how to write what was probably meant by a value of another type."""
    at, value, what = details["loc"], details["input"], details["type"]
    if what in ("int_type", "float_type"):
        return number_hint(value)
    if what == "string_type" and isinstance(value, int | float):
        return "put it in quotes"
    return (
        _other_key(at, value)
        or _short_form(at, value, what)
        or ("" if what == "string_type" else _form_hint(at))
    )


def _other_key(at: At, value: object) -> str:
    """Return a hint for one value where a list belongs, or the other way round."""
    if at in (("prompt",), ("model",)) and isinstance(value, list):
        return f"write `{at[0]}s` for several"
    if at in (("prompts",), ("models",)) and isinstance(value, str):
        return f"write `{str(at[0])[:-1]}` for one"
    return ""


def _short_form(at: At, value: object, what: str) -> str:
    """Return the right form of a single text or number, with that value in it."""
    if at == ("inputs",) and isinstance(value, str) and (table := _TABLE.search(value)):
        return f"write `inputs: {{{table[1]}: {shown(value)}}}`"
    is_short = isinstance(value, str | int | float) and len(str(value)) <= _SHORT
    is_variable = what == "list_type" and at[:1] == ("matrix",) and is_short
    written = str(value).lower() if isinstance(value, bool) else value
    return f"write `[{written}]`" if is_variable else ""
