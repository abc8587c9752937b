"""Describe the errors that the schema finds in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batch.diagnostics import MAX_DIAGNOSTICS, closest, did_you_mean, kind
from batch.jobfile.schema.durations import duration_hint
from batch.jobfile.schema.key_hints import ROLES, unknown_key
from batch.jobfile.schema.type_hints import type_hint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_core import ErrorDetails

    from batch.diagnostics import At, Findings

_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "list_type": "a list",
}
_OTHER_PROVIDER = "`openai` is for every server that has OpenAI's chat completions"


def explain(errors: Sequence[ErrorDetails], value: dict[str, Any], findings: Findings) -> None:
    """Add the errors that pydantic found in a ``value`` to ``findings``."""
    errors = [details for details in errors if not _follows(details, errors)]
    for details in errors[:MAX_DIAGNOSTICS]:
        _explain(details, value, findings)
    for details in errors[MAX_DIAGNOSTICS:]:  # only counted: finding a hint for each takes time
        findings.at_value(details["loc"], "wrong")


def _follows(details: ErrorDetails, errors: Sequence[ErrorDetails]) -> bool:
    """Return whether a key is only missing because an unknown one was written in its place."""
    if details["type"] != "missing" or len(errors) > MAX_DIAGNOSTICS:
        return False
    *holder, missing = details["loc"]
    unknown = [
        str(each["loc"][-1])
        for each in errors
        if each["type"] == "extra_forbidden" and list(each["loc"][:-1]) == holder
    ]
    is_message = "messages" in holder[-2:-1]
    is_name = missing == "model" and "name" in unknown
    return is_name or any(closest(key, [str(missing)]) or (is_message and key in ROLES) for key in unknown)


def _explain(details: ErrorDetails, value: dict[str, Any], findings: Findings) -> None:
    at = details["loc"]
    match details["type"]:
        case "extra_forbidden":
            findings.at_key(at, *unknown_key(at))
        case "missing":
            findings.at_value(at, "is missing")
        case "literal_error":
            findings.at_value(at, *_not_among(details))
        case _:
            findings.at_value(written_path(value, at), *_wrong(details))


def _not_among(details: ErrorDetails) -> tuple[str, str]:
    written = details["input"]
    choices = details["ctx"]["expected"].replace("'", "`")
    if not isinstance(written, str):
        return f"expected {choices}, got {kind(written)}", ""
    hint = did_you_mean(written, choices.replace(" or ", ", ").replace("`", "").split(", "))
    return f"expected {choices}", hint or (_OTHER_PROVIDER if details["loc"][-1] == "provider" else "")


_LIMITS = {
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be more than {gt:g}",
    "less_than_equal": "must be at most {le:g}",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_too_long": "longer than {max_length} characters",
    "string_pattern_mismatch": "holds a character that a name cannot have",
    "finite_number": "not a finite number",
}
_FORMATS = {
    "duration": ("not a duration", "write `90s`, `500ms`, `5m` or `2h`"),
    "failures": ("neither a number of failures nor a share of results", "write `20` or `10%`"),
    "currency": ("not a currency", "write its three-letter code, such as `USD` or `EUR`"),
}


def _wrong(details: ErrorDetails) -> tuple[str, str]:
    what = details["type"]
    if what == "bool_type":
        hint = "write `true` or `false`" if isinstance(details["input"], str) else ""
        return f"expected true or false, got {kind(details['input'])}", hint
    if what in _EXPECTED:
        return f"expected {_EXPECTED[what]}, got {kind(details['input'])}", type_hint(details)
    if what == "duration" and (hint := duration_hint(details["input"])):
        return _FORMATS[what][0], hint
    if what in _FORMATS:
        return _FORMATS[what]
    if what in _LIMITS:
        return _LIMITS[what].format(**details.get("ctx", {})), ""
    return details["msg"], ""


def written_path(value: Any, at: At) -> At:
    """Return the part of the path that was written: the rest belongs to the expanded form."""
    for length, step in enumerate(at):
        try:
            value = value[step]
        except (LookupError, TypeError):
            return at[:length]
    return at
