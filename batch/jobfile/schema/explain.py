"""Describe all schema errors in plain words, and return the valid rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from batch.diagnostics import MAX_DIAGNOSTICS, did_you_mean, kind
from batch.jobfile.schema.job_spec import PARTS, JobSpec
from batch.jobfile.schema.types import Spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from pydantic_core import ErrorDetails

    from batch.diagnostics import At, Findings
    from batch.jobfile.syntax.tree import Tree

_CUTS = 4
"""How often invalid parts are removed: a part that then lacks a required key is removed next."""

_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "list_type": "a list",
}
_PARAMETERS = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "max_tokens",
    "max_completion_tokens",
    "frequency_penalty",
    "presence_penalty",
    "repeat_penalty",
    "seed",
    "stop",
    "logprobs",
    "logit_bias",
    "reasoning_effort",
    "tools",
    "tool_choice",
)
_KEY_HINTS = {
    "api_key": "name an environment variable with `api_key_env`; a key is not allowed in the file",
    "rows": "`inputs.jsonl` names a file of rows",
    "input": "did you mean `inputs`?",
    "price": "a price belongs to a model: `model: {model: …, price: {input: …, output: …}}`",
    "max_retries": "did you mean `retries.max_attempts`?",
    "timeout": "did you mean `timeouts`?",
    "files": "write documents under `inputs.files`",
    "jsonl": "`inputs.jsonl` names a file of rows",
    "max_attempts": "did you mean `retries.max_attempts`?",
    "finish_reason": "did you mean `finish_reasons`?",
} | dict.fromkeys(_PARAMETERS, "write parameters under `params`")

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
}
"""Parts with several keys for which users often write a single value."""


def validated(tree: Tree, findings: Findings) -> JobSpec:
    """Return the tree as a ``JobSpec``, without the invalid parts, whose errors are added to ``findings``.

    Removing only the invalid parts lets later checks report their errors in the same run.
    """
    value = {key: part for key, part in tree.value.items() if not key.startswith("x-")}
    for attempt in range(_CUTS):
        try:
            return JobSpec.model_validate(value)
        except ValidationError as error:
            errors = error.errors(include_url=False)
        if not attempt:
            _explain_all(errors, value, findings)
        value = _without(value, [details["loc"] for details in errors])
    return JobSpec()


def _explain_all(errors: Sequence[ErrorDetails], value: dict[str, Any], findings: Findings) -> None:
    for details in errors[:MAX_DIAGNOSTICS]:
        _explain(details, value, findings)
    for details in errors[MAX_DIAGNOSTICS:]:  # only counted: finding a hint for each takes time
        findings.at_value(details["loc"], "wrong")


def _explain(details: ErrorDetails, value: dict[str, Any], findings: Findings) -> None:
    at = details["loc"]
    match details["type"]:
        case "extra_forbidden":
            findings.at_key(at, *_unknown(at))
        case "missing":
            findings.at_value(at, "is missing")
        case "literal_error":
            findings.at_value(at, *_not_among(details))
        case "model_type":
            what, _ = _wrong(details)
            findings.at_value(_written(value, at), what, _form(at))
        case _:
            findings.at_value(_written(value, at), *_wrong(details))


def _form(at: At) -> str:
    """Return the correct form of a part that was written in a shorter way."""
    keys = [step for step in at if isinstance(step, str)]
    return f"write `{form}`" if keys and (form := _FORMS.get(keys[-1])) else ""


def _unknown(at: At) -> tuple[str, str]:
    part = PARTS.get(tuple(step for step in at[:-1] if isinstance(step, str)), Spec)
    key = str(at[-1])
    known = sorted(part.model_fields)
    return "unknown key", _KEY_HINTS.get(key) or did_you_mean(key, known) or f"known here: {', '.join(known)}"


def _not_among(details: ErrorDetails) -> tuple[str, str]:
    written = details["input"]
    choices = details["ctx"]["expected"].replace("'", "`")
    if not isinstance(written, str):
        return f"expected {choices}, got {kind(written)}", ""
    return f"expected {choices}", did_you_mean(
        written, choices.replace(" or ", ", ").replace("`", "").split(", ")
    )


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
        return f"expected {_EXPECTED[what]}, got {kind(details['input'])}", ""
    if what in _FORMATS:
        return _FORMATS[what]
    if what in _LIMITS:
        return _LIMITS[what].format(**details.get("ctx", {})), ""
    return details["msg"], ""


def _written(value: Any, at: At) -> At:
    """Return the part of the path that was written: the rest belongs to the expanded form."""
    for length, step in enumerate(at):
        try:
            value = value[step]
        except (LookupError, TypeError):
            return at[:length]
    return at


def _without(value: dict[str, Any], diagnostics: Iterable[At]) -> dict[str, Any]:
    """Return a copy without the innermost keys that contain errors; lists keep all their items."""
    cuts = set()
    for at in diagnostics:
        written = _written(value, at)
        keys = [length for length, step in enumerate(written) if isinstance(step, str)]
        if keys:
            cuts.add(written[: keys[-1] + 1])
    result: dict[str, Any] = _cut(value, cuts, ())
    return result


def _cut(value: Any, cuts: AbstractSet[At], at: At) -> Any:
    if isinstance(value, dict):
        return {key: _cut(part, cuts, (*at, key)) for key, part in value.items() if (*at, key) not in cuts}
    if isinstance(value, list):
        return [_cut(part, cuts, (*at, index)) for index, part in enumerate(value)]
    return value
