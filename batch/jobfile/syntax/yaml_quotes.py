"""Errors in quotes, brackets and texts without quotes. Each function returns ``None`` for another error."""

from __future__ import annotations

import re
from typing import Any

import yaml

from batch.jobfile.syntax.yaml_problem import (
    ENTRY,
    Found,
    YamlError,
    in_double_quotes,
    indent_of,
    line_above,
    quoted,
    with_line,
    write,
)

_ITEM = re.compile(r"(?P<start>\s*(?:- +)+)(?P<value>\S.*?)\s*\Z")
_NEEDS_QUOTES = "{[@`%*&!|>"


def open_quote(found: Found) -> YamlError | None:
    if found.start is None or "quoted scalar" not in found.context or "unexpected" not in found.problem:
        return None
    number, column = found.start
    line = found.lines[number]
    what = f"the `{line[column]}` that opens the text here is never closed"
    closed = with_line(found.lines, number, line + line[column])
    return YamlError(number + 1, column + 1, what, f"write `{line[column]}` at the end of the text", closed)


def escape(found: Found) -> YamlError | None:
    if "escape character" not in found.problem and "hexdecimal" not in found.problem:
        return None
    number = found.at[0]
    column = found.line.rfind("\\", 0, found.at[1] + 1)
    if column < 0:
        return None
    sign = found.line[column : column + 2]
    what = f"unknown escape `{sign}` between double quotes"
    line = f"{found.line[:column]}\\{found.line[column:]}"
    hint = "write `\\\\`, or use single quotes"
    return YamlError(number + 1, column + 1, what, hint, with_line(found.lines, number, line))


def bare_text(found: Found) -> YamlError | None:
    """A value that starts with a character that means something else in YAML."""
    number = found.at[0] if found.start is None or "flow" not in found.context else found.start[0]
    line = found.lines[number] if number < len(found.lines) else ""
    match = ENTRY.match(line) or _ITEM.match(line)
    value = match["value"] if match else None
    if match is None or not value or not (value[0] in _NEEDS_QUOTES or value.startswith("- ")):
        return None
    is_collection = value[0] in "[{" and not value.startswith(("{{", "{%"))
    if is_collection and not re.match(r"(?:\[[^\[\]]*\]|\{[^{}]*\})\s*[^\s,\]}#]", value):
        return None
    return needs_quotes(found.lines, number, match.start("value"), match["value"])


def needs_quotes(lines: list[str], number: int, column: int, value: str) -> YamlError:
    """Return the error of a text (on the line ``number``, from 0) that has to be in quotes."""
    before = lines[number][:column]
    what = f"a text that starts with `{value[0]}` needs quotes"
    key = re.search(r"[\w-]+:\s*\Z", before)
    line = f"{key[0].strip() if key else ''} {in_double_quotes(value)}".strip()
    hint = write(line, "put it in quotes")
    repaired = with_line(lines, number, before + quoted(value))
    return YamlError(number + 1, column + 1, what, hint, repaired)


def open_bracket(found: Found) -> YamlError | None:
    if found.start is None or "flow" not in found.context:
        return None
    if found.at[0] == found.start[0]:
        return _missing_comma(found)
    number, column = found.start
    above = line_above(found.lines, found.at[0])
    if above is not None and indent_of(found.line) > indent_of(found.lines[number]):
        end = len(found.lines[above].rstrip())
        repaired = with_line(found.lines, above, found.lines[above][:end] + ",")
        hint = "write `,` at the end of the line"
        return YamlError(above + 1, end + 1, "no `,` between two items", hint, repaired)
    sign = found.lines[number][column]
    closing = "]" if sign == "[" else "}"
    what = f"the `{sign}` that opens here is never closed"
    closed = with_line(found.lines, number, found.lines[number] + closing)
    return YamlError(number + 1, column + 1, what, f"write `{closing}` at its end", closed)


def _missing_comma(found: Found) -> YamlError | None:
    """Two keys on one line, which YAML takes for one value until the second colon."""
    number, column = found.at
    match = re.search(r"\s([A-Za-z_]\w*)\Z", found.line[:column])
    if match is None or found.line[column : column + 1] != ":":
        return None
    repaired = with_line(found.lines, number, f"{found.line[: match.start()]},{found.line[match.start() :]}")
    what = f"no `,` before `{match[1]}`"
    return YamlError(number + 1, match.start(1) + 1, what, "write `,` between two keys", repaired)


def text_after_quotes(found: Found) -> YamlError | None:
    """A quote within the text, or a missing one at its end, which the next text's opening quote replaces."""
    token = _token_before(found.text, found.at)
    if token is None or token[0][0] > token[1][0] or token[1][0] != found.at[0]:
        return None
    (number, column), end = token
    line = found.lines[number]
    quote = line[column]
    if quote not in "'\"" or not found.line[found.at[1] :].strip():
        return None
    if number != end[0]:
        what = f"the `{quote}` that opens the text here is not closed on its line"
        repaired = with_line(found.lines, number, line + quote)
        return YamlError(number + 1, column + 1, what, f"write `{quote}` at the end of the text", repaired)
    what = f"the text goes on after its closing `{quote}`"
    hint = (
        "use double quotes, or write `''` for an apostrophe"
        if quote == "'"
        else 'use single quotes, or write `\\"` for a quote'
    )
    value = line[column + 1 :].rstrip()
    value = value[: -len(quote)] if value.endswith(quote) else value
    return YamlError(
        number + 1, column + 1, what, hint, with_line(found.lines, number, line[:column] + quoted(value))
    )


def _token_before(text: str, at: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return start and end of the last scalar before a place."""
    last: Any = None
    try:
        for token in yaml.scan(text, Loader=yaml.CBaseLoader):
            if (token.start_mark.line, token.start_mark.column) >= at:
                break
            last = token
    except yaml.YAMLError:
        pass
    if not isinstance(last, yaml.ScalarToken):
        return None
    start, end = last.start_mark, last.end_mark
    return (start.line, start.column), (end.line, end.column)
