"""What was probably meant by an unknown key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.diagnostics import closest, did_you_mean
from batch.jobfile.schema.job_spec import PARTS, JobSpec
from batch.jobfile.schema.types import Spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.diagnostics import At, Problem

_LONGEST = 120
"""Maximum number of characters of a hint that lists keys."""

ROLES = frozenset({"system", "developer", "user", "assistant"})
_LIKENESS = 0.85

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


def unknown_key(at: At) -> Problem:
    """Return the error of an unknown key, with a hint."""
    path = tuple(step for step in at[:-1] if isinstance(step, str))
    part = PARTS.get(path, Spec)
    key = str(at[-1])
    if path in (("model",), ("models",)) and key == "name":
        return "unknown key", "did you mean `model`?"
    if path[-1:] == ("messages",) and key in ROLES:
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
