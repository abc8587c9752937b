"""Describe all schema errors in plain words, and return the valid rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from batch.diagnostics import MAX_DIAGNOSTICS, closest, did_you_mean, kind
from batch.jobfile.schema.durations import duration_hint
from batch.jobfile.schema.job_spec import PARTS, JobSpec, MessageSpec, PromptSpec
from batch.jobfile.schema.model_spec import ModelSpec
from batch.jobfile.schema.type_hints import type_hint
from batch.jobfile.schema.types import Spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from pydantic_core import ErrorDetails

    from batch.diagnostics import At, Findings
    from batch.jobfile.syntax.tree import Tree

_LONGEST = 120
"""Maximum number of characters of a hint that lists keys."""

_ROLES = frozenset({"system", "developer", "user", "assistant"})
_LIKENESS = 0.85
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
    "max_retries": "did you mean `retries.max_attempts`?",
    "timeout": "did you mean `timeouts`?",
    "files": "write documents under `inputs.files`",
    "jsonl": "`inputs.jsonl` names a file of rows",
    "max_attempts": "did you mean `retries.max_attempts`?",
    "finish_reason": "did you mean `finish_reasons`?",
    "excel": "save the sheet as CSV UTF-8 and write `csv: FILE.csv`",
    "xlsx": "save the sheet as CSV UTF-8 and write `csv: FILE.csv`",
    "delimiter": "the delimiter of a CSV file is detected",
    "encoding": "the encoding of a file is detected",
    "url": "did you mean `base_url`?",
    "api_base": "did you mean `base_url`?",
    "n": "did you mean `samples`?",
    "stream": "every answer is streamed; `mode: whole` requests whole responses",
} | dict.fromkeys(_PARAMETERS, "write parameters under `params`")

_OTHER_PROVIDER = "`openai` is for every server that has OpenAI's chat completions"


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
        value = _without(value, [details["loc"] for details in errors], tree)
    return JobSpec()


def _explain_all(errors: Sequence[ErrorDetails], value: dict[str, Any], findings: Findings) -> None:
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
    return is_name or any(closest(key, [str(missing)]) or (is_message and key in _ROLES) for key in unknown)


def _explain(details: ErrorDetails, value: dict[str, Any], findings: Findings) -> None:
    at = details["loc"]
    match details["type"]:
        case "extra_forbidden":
            findings.at_key(at, *_unknown(at))
        case "missing":
            findings.at_value(at, "is missing")
        case "literal_error":
            findings.at_value(at, *_not_among(details))
        case _:
            findings.at_value(_written(value, at), *_wrong(details))


def _unknown(at: At) -> tuple[str, str]:
    path = tuple(step for step in at[:-1] if isinstance(step, str))
    part = PARTS.get(path, Spec)
    key = str(at[-1])
    if path in (("model",), ("models",)) and key == "name":
        return "unknown key", "did you mean `model`?"
    if path[-1:] == ("messages",) and key in _ROLES:
        return "unknown key", f"write `- {{role: {key}, content: …}}`"
    known = sorted(part.model_fields)
    hint = (
        _KEY_HINTS.get(key) or _near(key, known) or _elsewhere(key, path) or f"known here: {', '.join(known)}"
    )
    return "unknown key", hint if len(hint) <= _LONGEST else "`promptjobs schema` lists all keys"


def _near(key: str, known: Sequence[str]) -> str:
    hint = did_you_mean(key, known)
    is_hidden = hint and (key.strip() != key or not key.isprintable())
    return f"{hint} The key has an invisible character" if is_hidden else hint


def _elsewhere(key: str, path: tuple[str, ...]) -> str:
    """Return a hint for a key that another part of a job file has."""
    if path and (meant := closest(key, JobSpec.model_fields, cutoff=_LIKENESS)):
        return f"`{meant}` belongs at the top of the file"
    parts = [part for part, spec in PARTS.items() if len(part) == 1 and key in spec.model_fields]
    return f"write it under `{parts[0][0]}`" if parts else ""


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


def _written(value: Any, at: At) -> At:
    """Return the part of the path that was written: the rest belongs to the expanded form."""
    for length, step in enumerate(at):
        try:
            value = value[step]
        except (LookupError, TypeError):
            return at[:length]
    return at


_STAND_INS: dict[str, Spec] = {
    "prompts": PromptSpec.model_construct(),
    "models": ModelSpec.model_construct(model="?"),
    "messages": MessageSpec.model_construct(role="user", content=""),
}
"""What stands in lists for invalid items (``Tree.invalid``), so that the others keep their places."""


def _without(value: dict[str, Any], errors: Iterable[At], tree: Tree) -> dict[str, Any]:
    """Return a copy without the innermost keys that contain errors; invalid items of lists are replaced."""
    cuts = set()
    for at in errors:
        written = _written(value, at)
        while written and not (isinstance(written[-1], str) or _is_item(written)):
            written = written[:-1]
        if written:
            cuts.add(written)
            tree.invalid.update([written] if isinstance(written[-1], int) else [])
    result: dict[str, Any] = _cut(value, cuts, ())
    return result


def _is_item(at: At) -> bool:
    """Return whether a path is that of an item for which something can stand."""
    return len(at) > 1 and at[-2] in _STAND_INS and isinstance(at[-1], int)


def _cut(value: Any, cuts: AbstractSet[At], at: At) -> Any:
    if at and isinstance(at[-1], int) and at in cuts:
        return _STAND_INS[str(at[-2])]
    if isinstance(value, dict):
        return {key: _cut(part, cuts, (*at, key)) for key, part in value.items() if (*at, key) not in cuts}
    if isinstance(value, list):
        return [_cut(part, cuts, (*at, index)) for index, part in enumerate(value)]
    return value
