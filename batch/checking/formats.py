"""Validation of a response format within bounds of time and memory."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from batch import structured_output
from batch.checking.cost import is_plain
from batch.checking.messages import CheckRequest, CheckResult, unfinished
from batch.checking.process import CheckingProcess
from batch.errors import one_line


def format_problem(response_format: object) -> tuple[str, str] | None:
    """Return what is invalid in a response format, and a hint; see ``structured_output.format_problem``.

    A schema that may take very long is checked in a separate process.
    """
    if is_plain(response_format):
        return _problem_here(response_format)
    try:
        encoded = msgspec.json.encode(response_format, order="sorted")
    except (TypeError, ValueError, RecursionError):
        return "cannot be written as JSON", ""
    return _problem(encoded)


def _problem_here(response_format: object) -> tuple[str, str] | None:
    try:
        return structured_output.format_problem(response_format)
    except Exception as error:  # noqa: BLE001 - jsonschema itself fails on some schemas
        return _in_words(unfinished(f"failed: {one_line(error)}"))


@lru_cache(maxsize=256)
def _problem(encoded: bytes) -> tuple[str, str] | None:
    with CheckingProcess() as process:
        checked = process.check(CheckRequest("format", encoded))
    return _in_words(checked)


def _in_words(checked: CheckResult) -> tuple[str, str] | None:
    if checked.is_judged:
        return (checked.problem, checked.hint) if checked.problem else None
    return f"checking this schema {checked.problem}", "simplify it"
