"""Errors in keys, colons and indentation. Each function returns ``None`` for another error."""

from __future__ import annotations

import re

from batch.jobfile.syntax.yaml_problem import (
    ENTRY,
    KEY,
    Found,
    YamlError,
    indent_of,
    line_above,
    quoted,
    with_line,
    write,
)

_TEXTS = frozenset({"prompt", "system", "content", "description"})


def tab(found: Found) -> YamlError | None:
    places = [found.at, *([found.start] if found.start else [])]
    for number, _column in places:
        line = found.lines[number] if number < len(found.lines) else ""
        if "\t" in (space := line[: len(line) - len(line.lstrip())]):
            spaced = [re.sub(r"^[ \t]+", lambda m: m[0].replace("\t", "  "), each) for each in found.lines]
            column = space.index("\t") + 1
            what = "a tab in the indentation"
            return YamlError(number + 1, column, what, "indent with spaces", "\n".join(spaced))
    return None


def second_colon(found: Found) -> YamlError | None:
    if found.problem != "mapping values are not allowed in this context":
        return None
    number, column = found.at
    line = found.line
    match = ENTRY.match(line)
    first = re.match(rf"\s*(?:- +)*{KEY}:(?=\s)", line)
    if first is None or first.end() > column:
        return _deeper_key(found)
    value = line[first.end() :].strip()
    start = line.index(value, first.end())
    key, inner = first[0].strip(" -:"), value.partition(":")[0]
    if keys := re.fullmatch(r"[^\s,]+, *([a-z_]+)", inner):
        hint, repaired = f"write `{keys[1]}: …` on the next line", line[:start] + quoted(value)
    elif key not in _TEXTS and re.fullmatch(r"[a-z_]+", inner) and match is not None:
        hint = f"write `{inner}: …` on the next line, indented"
        repaired = f"{line[:start]}{{{value}}}"
    else:
        hint, repaired = "put the text in quotes", line[:start] + quoted(value)
    what = "a second `: ` on the line"
    return YamlError(number + 1, column + 1, what, hint, with_line(found.lines, number, repaired))


def _with_item(lines: list[str], number: int, indent: int) -> str:
    """Return the text with a list item, and the lines below that belong to it, at another indentation."""
    before = indent_of(lines[number])
    end = number + 1
    while end < len(lines) and (not lines[end].strip() or indent_of(lines[end]) > before):
        end += 1
    moved = [" " * max(0, indent_of(each) + indent - before) + each.lstrip() for each in lines[number:end]]
    return "\n".join([*lines[:number], *moved, *lines[end:]])


def _deeper_key(found: Found) -> YamlError | None:
    number, line = found.at[0], found.line
    above = line_above(found.lines, number)
    if above is None:
        return None
    dashes = re.match(r"\s*(?:- +)*", found.lines[above])
    indent = len(dashes[0]) if dashes else 0
    if indent_of(line) <= indent:  # the line above has no colon, so this is taken for its continuation
        return no_colon(found._replace(start=(above, indent)))
    what = f"indented deeper than line {above + 1}, which has a value of its own"
    repaired = with_line(found.lines, number, " " * indent + line.lstrip())
    hint = "indent keys of one level alike"
    return YamlError(number + 1, indent_of(line) + 1, what, hint, repaired)


def no_colon(found: Found) -> YamlError | None:
    is_first = found.problem == "mapping values are not allowed in this context"
    if (not is_first and "expected ':'" not in found.problem) or found.start is None:
        return None
    number = found.start[0]
    line = found.lines[number]
    indent, text = " " * indent_of(line), line.strip()
    if match := re.fullmatch(r"-([^\s-].*)", text):
        what, right = "no space after the `-`", f"- {match[1]}"
    elif match := re.fullmatch(r"([a-z_]+):(\S.*)", text):
        what, right = "no space after the `:`", f"{match[1]}: {match[2]}"
    elif match := re.fullmatch(r"([a-z_]+)\s*=\s*(.+)|([a-z_]+)\s+(\S+)", text):
        what, right = "no `: ` after the key", f"{match[1] or match[3]}: {match[2] or match[4]}"
    else:
        return _loose_text(found, number)
    repaired = with_line(found.lines, number, indent + right)
    return YamlError(number + 1, len(indent) + 1, what, write(right), repaired)


def _loose_text(found: Found, number: int) -> YamlError:
    """A line of a text that is not indented like the text."""
    line = found.lines[number]
    indent, above = indent_of(line), line_above(found.lines, number)
    below_key = above is None or ENTRY.match(found.lines[above])
    deeper = indent + 2 if below_key or above is None else indent_of(found.lines[above])
    repaired = None if deeper <= indent else with_line(found.lines, number, " " * deeper + line.lstrip())
    what = "neither `key: value` nor a part of the text above"
    return YamlError(number + 1, indent + 1, what, "indent it like that text", repaired)


def other_indent(found: Found) -> YamlError | None:
    number, column = found.at
    if not found.problem.startswith("did not find expected") or column != indent_of(found.line):
        return None
    above = line_above(found.lines, number)
    if above is None or not found.line.strip() or found.line.lstrip().startswith(("]", "}", ",")):
        return None
    if "document start" in found.problem:
        what, hint = "expected keys and values from the first line on", "write `key: value`"
        return YamlError(number + 1, column + 1, what, hint, None)
    like = indent_of(found.lines[above])
    if found.line.lstrip().startswith("- "):
        items = (each for each in reversed(found.lines[:number]) if each.lstrip().startswith("- "))
        like = indent_of(next(items, found.lines[above]))
        what, hint = "a list item where a key belongs", "indent it like the items of its list"
        return YamlError(number + 1, column + 1, what, hint, _with_item(found.lines, number, like))
    if not ENTRY.match(found.line):
        return _loose_text(found, number)
    what, hint = "indented like no key above it", "indent keys of one level alike"
    repaired = None if like == column else with_line(found.lines, number, " " * like + found.line.lstrip())
    return YamlError(number + 1, column + 1, what, hint, repaired)
