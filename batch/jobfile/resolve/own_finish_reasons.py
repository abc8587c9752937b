"""Check the finish reasons that a job adds, so that no word has two meanings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.diagnostics import shown
from batch.finish_reasons import BUILT_IN, NONE, FinishReasons, normalized

if TYPE_CHECKING:
    from batch.diagnostics import At, Findings
    from batch.jobfile.schema.run_spec import FinishReasonsSpec


def finish_reasons_of(spec: FinishReasonsSpec, findings: Findings) -> FinishReasons:
    """Return the words of a job, normalized; report those that already have another meaning."""
    complete = [normalized(word) for word in spec.complete]
    length = [normalized(word) for word in spec.length]
    for name, words in (("complete", complete), ("length", length)):
        for place, word in enumerate(words):
            _check(name, word, ("finish_reasons", name, place), findings)
    for place, word in enumerate(length):
        if word in complete:
            findings.at_value(
                ("finish_reasons", "length", place), "is also listed under `complete`", "keep one of them"
            )
    return FinishReasons(frozenset(complete), frozenset(length))


def _check(name: str, word: str, at: At, findings: Findings) -> None:
    if word in NONE:
        findings.at_value(at, "is not a finish reason", "leave it out")
    elif (known := BUILT_IN.get(word)) is not None and known != name:
        what = known.replace("_", " ")
        findings.at_value(
            at, f"`{shown(word)}` always means `{what}`, and cannot mean `{name}`", "leave it out"
        )
