"""Writes ``docs/result_fields.md`` and ``docs/error_codes.md``.

Run it as ``python -m tests.docs.make_result_pages``.
"""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec

from batch.cli.run import EXIT_CODES
from batch.exit_codes import exit_code
from batch.records import Result
from batch.run_summary import Summary
from batch.scheduling.retry import Parking
from tests.support.reference_codes import CODES
from tests.support.reference_fields import FIELDS, SUMMARY_FIELDS

DOCS = Path(__file__).parents[2] / "docs"

_FIELDS_HEAD = """\
---
hide: [toc]
---

# Result fields

Each line of an output file is one JSON object with these keys, in this order. A value that does not exist is
`null`; a key is left out only where this page says so.
This page is written by `python -m tests.docs.make_result_pages`.

| field | type | meaning |
|---|---|---|
"""
_SUMMARY_HEAD = """
## The run summary

`<output>.summary.json` describes the last run that sent or recorded something. `promptjobs run --json` prints
it, and `batch.run` returns it as a `Summary`. `total` is `succeeded + failed + pending`.

| field | type | meaning |
|---|---|---|
"""
_CODES_HEAD = """\
# Error codes and exit codes

A failed result has one of these codes in `error.code`. [Faults](faults.md) lists the tested cases behind
them. This page is written by `python -m tests.docs.make_result_pages`.

- **Retried**: whether the runner sends the request again within the same run, up to `retries.max_attempts`.
  *Endpoint parked* means that nothing more is sent to this endpoint; the request stays pending.
- **Billed**: whether the attempt counts against `limits.cost` and `limits.tokens` when the server reports no
  usage. An attempt that reaches a model may cost money even if its answer is lost.
- A request that failed with a retried code is sent again by the next run, in three runs at most.
  `promptjobs retry` sends every failed request again.
"""
_EXITS_HEAD = """
## Exit codes

| exit | meaning |
|---|---|
"""
_EXITS_END = """\
If several apply, the first of these is returned: {}.
0 is returned only if every request has succeeded, and 2 means that nothing was sent. The code is 141 if the
reader of the command's output has closed it. A shell shows 137 for a process that was killed; run the same
command to resume.
"""


def fields_page() -> str:
    """The page of result fields as it should be."""
    return _FIELDS_HEAD + _rows(Result, FIELDS) + _SUMMARY_HEAD + _rows(Summary, SUMMARY_FIELDS)


def codes_page() -> str:
    """The page of error codes and exit codes as it should be."""
    sections = []
    for title, codes in CODES.items():
        rows = "".join(
            f"| `{code.name}` | {code.meaning} | {code.when_retried()} | {code.when_billed()} |\n"
            for code in codes
        )
        sections.append(f"\n## {title}\n\n| code | meaning | retried | billed |\n|---|---|---|---|\n{rows}")
    return f"{_CODES_HEAD}{''.join(sections)}{_EXITS_HEAD}{_exit_rows()}\n{_precedence()}"


def field_paths(struct: type) -> dict[str, str]:
    """Every field of a record and of the records in it, by dotted path, with its type in words."""
    schema = msgspec.json.schema(struct)
    definitions = schema["$defs"]
    return dict(_walk(definitions, definitions[struct.__name__], ""))


def precedence() -> list[int]:
    """The exit codes of a run, the one that prevails first, found by asking for each pair."""
    codes = [1, 7, 8, 70, 74, 75, 130]
    wins = dict.fromkeys(codes, 0)
    for pair in combinations(codes, 2):
        wins[_of_both(*pair)] += 1
    return sorted(codes, key=lambda code: -wins[code])


def _of_both(*codes: int) -> int:
    holds = [Parking("", "", exit_code=code) for code in codes if code in (7, 75)]
    error = next((code for code in codes if code in (70, 74)), None)
    if {70, 74} == set(codes):
        holds, error = [Parking("", "", exit_code=70)], 74
    return exit_code(
        failed=1 in codes,
        parkings=holds,
        out_of_budget=8 in codes,
        signal=2 if 130 in codes else None,
        error=error,
    )


def _precedence() -> str:
    words = ["a signal" if code == 130 else str(code) for code in precedence()]
    return _EXITS_END.format(", ".join(words))


def _exit_rows() -> str:
    rows = re.findall(r"^ {2}(\d[\d, ]*?) {2,}(.+)$", EXIT_CODES, re.MULTILINE)
    return "".join(f"| {code} | {meaning} |\n" for code, meaning in rows)


def _rows(struct: type, meanings: dict[str, str]) -> str:
    rows = [f"| `{path}` | {kind} | {meanings[path]} |\n" for path, kind in field_paths(struct).items()]
    return "".join(rows)


def _walk(definitions: dict[str, Any], part: dict[str, Any], prefix: str) -> Any:
    for name, field in part["properties"].items():
        path = f"{prefix}{name}"
        yield path, _kind(definitions, field)
        for each in [field, *field.get("anyOf", []), field.get("items", {})]:
            inner = definitions.get(each.get("$ref", "").rpartition("/")[2], {})
            if "properties" in inner:
                yield from _walk(definitions, inner, f"{path}{'[]' if 'items' in field else ''}.")


def _kind(definitions: dict[str, Any], field: dict[str, Any]) -> str:
    if "anyOf" in field:
        kinds = [_kind(definitions, each) for each in field["anyOf"]]
        return " or ".join(sorted(kinds, key=lambda kind: kind == "null"))
    if "$ref" in field:
        return _kind(definitions, definitions[field["$ref"].rpartition("/")[2]])
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    kind = field.get("type", "any")
    return f"list of {_kind(definitions, field['items'])}s" if kind == "array" else str(kind)


if __name__ == "__main__":
    (DOCS / "result_fields.md").write_text(fields_page(), encoding="utf-8")
    (DOCS / "error_codes.md").write_text(codes_page(), encoding="utf-8")
