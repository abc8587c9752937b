"""Parameters that a job cannot set because the runner sets them, and those that it must understand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batch.checking.formats import format_problem
from batch.jobfile.param_values import unknown_names, value_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batch.diagnostics import At, Findings, Problem

_RESERVED: dict[str, Problem] = {
    "model": ("use the job's `model` instead", ""),
    "messages": ("use the job's `prompt` or `messages` instead", ""),
    "stream": ("every answer is streamed", "leave it out"),
    "stream_options": ("every answer is streamed", "leave it out"),
    "api_key": ("a key is not allowed in a job file", "use `api_key_env`"),
}


def param_problems(params: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Problem]]:
    """Return the parameters that cannot be set, each with its path, and why.

    ``extra_body`` is merged into the top level of a request, so the same names are reserved in it.
    """
    yield from _reserved(params, ())
    extra = params.get("extra_body")
    if isinstance(extra, dict):
        yield from _reserved(extra, ("extra_body",))
    elif extra is not None:
        yield ("extra_body",), ("expected keys and values", "write `extra_body: {key: value}`")
    for name, wrong in value_problems(params):
        yield (name,), wrong
    response_format = params.get("response_format")
    if response_format is not None and (problem := format_problem(response_format)):
        yield ("response_format",), problem


def _reserved(params: Mapping[str, Any], at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Problem]]:
    for key in params.keys() & _RESERVED.keys():
        yield (*at, key), _RESERVED[key]
    n = params.get("n")
    if n is not None and n != 1:
        hint = f"for several, write `samples: {_count(n)}` in the job"
        yield (*at, "n"), ("a request has one answer", hint)


def _count(n: object) -> int:
    return n if isinstance(n, int) and 1 < n < 1000 else 2


def check_params(params: Mapping[str, Any], at: At, findings: Findings) -> None:
    """Report the parameters under ``at`` that cannot be set, and names that are probably misspelt."""
    for keys, (what, hint) in param_problems(params):
        findings.at_key((*at, *keys), what, hint)
    for name, meant in sorted(unknown_names(params)):
        what, hint = "no known parameter, sent as it stands", f"did you mean `{meant}`?"
        findings.warn_at_key((*at, name), what, hint)
