"""Check the syntax of a template, and say in plain words what is wrong and where."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jinja2 import TemplateSyntaxError, meta, nodes
from msgspec import Struct

from batch.diagnostics import did_you_mean, shown
from batch.jobfile.template_places import TYPOGRAPHIC, offset_of_line, offset_of_name, tags
from batch.jobfile.templates import environment, pieces_of

if TYPE_CHECKING:
    from collections.abc import Callable

_NOT = "not a template: "
_CLOSED = re.compile(
    r"""\{\{(?:[^'"{}]|'[^']*'|"[^"]*"|\{[^{}]*\}|\}(?!\}))*\}\}|\{%(?:[^'"%]|'[^']*'|"[^"]*"|%(?!\}))*%\}"""
)
_TOKENS = {"end of print statement": "}}", "end of statement block": "%}", "begin of statement block": "{%"}
_STATEMENTS = ("if", "elif", "else", "endif", "for", "endfor", "set", "endset", "macro", "endmacro", "raw",
               "endraw", "filter", "endfilter", "with", "endwith")  # fmt: skip
_BLOCKS = ("if", "for", "macro", "filter", "with", "call", "block")


class TemplateProblem(Struct, frozen=True):
    """What is wrong in a template, what to do (may be empty), and the offset of the part to change."""

    what: str
    hint: str = ""
    offset: int = 0


def syntax_problem(source: str) -> TemplateProblem | None:
    """Return the syntax error of a template."""
    try:
        if pieces_of(source) is not None:  # most templates; compiling takes long
            return None
        syntax = environment().parse(source)
        if any(True for _ in meta.find_referenced_templates(syntax)):
            return TemplateProblem("a prompt cannot include another template")
        if chance := next((each for each in syntax.find_all(nodes.Filter) if each.name == "random"), None):
            what = "`random` would ask something else in every run; `matrix` and `samples` vary what is asked"
            return TemplateProblem(
                what, "", offset_of_name(source, "random") or offset_of_line(source, chance.lineno)
            )
        environment().compile(source)
    except TemplateSyntaxError as error:
        return _explained(source, error.message or "wrong syntax", error.lineno)
    except (RecursionError, MemoryError, OverflowError, SyntaxError, ValueError):
        return TemplateProblem(f"{_NOT}too deeply nested or too large")
    return None


def _explained(source: str, message: str, line: int) -> TemplateProblem:
    if (start := _unclosed_tag(source)) is not None:
        opening = source[start : start + 2]
        closing = "}}" if opening == "{{" else "%}"
        return TemplateProblem(f"{_NOT}`{opening}` is never closed", f"write `{closing}`", start)
    for pattern, explain in _MESSAGES:
        if match := pattern.match(message):
            return explain(source, match, line)
    return TemplateProblem(f"{_NOT}{shown_message(message)}", "", _failing_tag(source, line))


def shown_message(message: str) -> str:
    """Return a message of Jinja in one line of bounded length."""
    return " ".join(message.split())[:200]


def _unclosed_tag(source: str) -> int | None:
    """Return the start of the first tag that is never closed; a raw block may hold anything."""
    if "raw" in source:
        return None
    at = 0
    while (found := re.compile(r"\{[{%#]").search(source, at)) is not None:
        if found[0] == "{#":
            end = source.find("#}", found.end())
            if end < 0:
                return found.start()
            at = end + 2
            continue
        closed = _CLOSED.match(source, found.start())
        if closed is None:
            return found.start()
        at = closed.end()
    return None


def _failing_tag(source: str, line: int) -> int:
    """Return the expression that fails by itself, or the first tag on the line."""
    for start, tag in tags(source):
        if tag.startswith("{{") and not _parses(tag):
            return start
    return offset_of_line(source, line)


def _parses(tag: str) -> bool:
    try:
        environment().parse(tag)
    except (TemplateSyntaxError, RecursionError):
        return False
    return True


def _unknown_name(known: str) -> Callable[[str, re.Match[str], int], TemplateProblem]:
    def explain(source: str, match: re.Match[str], line: int) -> TemplateProblem:
        name = match[1]
        names = getattr(environment(), known + "s")
        hint = did_you_mean(name, [each for each in names if each.isidentifier()])
        offset = next(
            (start for start, tag in tags(source) if re.search(rf"\b{re.escape(name)}\b", tag)), None
        )
        where = offset_of_line(source, line) if offset is None else offset
        return TemplateProblem(f"{_NOT}no {known} {_code(name)}", hint, where)

    return explain


def _unknown_tag(source: str, match: re.Match[str], line: int) -> TemplateProblem:
    name, rest = match[1], match[2]
    opened = re.search(r"needs to be closed is '(\w+)'", rest)
    hint = did_you_mean(name, [each for each in _STATEMENTS if each != name])
    if name in _STATEMENTS:
        hint = f"`{{% {opened[1]} %}}` ends with `{{% end{opened[1]} %}}`" if opened else ""
    offset = next(
        (start for start, tag in tags(source) if re.match(rf"\{{%-?\s*{re.escape(name)}\b", tag)), None
    )
    return TemplateProblem(
        f"{_NOT}unknown tag {_code(name)}"
        if name not in _STATEMENTS
        else f"{_NOT}{_code(name)} without its beginning",
        hint,
        offset_of_line(source, line) if offset is None else offset,
    )


def _open_block(source: str, match: re.Match[str], line: int) -> TemplateProblem:
    name = match[1]
    opened: list[int] = []
    for start, tag in tags(source):
        word = re.match(r"\{%[-+]?\s*(\w+)", tag)
        if word and word[1] == name:
            opened.append(start)
        elif word and word[1] == f"end{name}" and opened:
            opened.pop()
    what = f"{_NOT}`{{% {name} %}}` is never closed"
    offset = opened[-1] if opened else offset_of_line(source, line)
    return TemplateProblem(what, f"write `{{% end{name} %}}`", offset)


def _character(source: str, match: re.Match[str], line: int) -> TemplateProblem:
    sign, offset = match[1], int(match[2])
    if sign in TYPOGRAPHIC:
        start = max((start for start, _ in tags(source) if start <= offset), default=offset)
        return TemplateProblem(f"{_NOT}a typographic quote `{sign}`", "write `'`", start)
    return TemplateProblem(f"{_NOT}unexpected character {_code(sign)}", "", _failing_tag(source, line))


def _expected(source: str, match: re.Match[str], line: int) -> TemplateProblem:
    expected, got = _TOKENS.get(match[1], match[1]), _TOKENS.get(match[2], match[2])
    start = _failing_tag(source, line)
    words = re.match(r"\{\{-?\s*([^\W\d]\w*) ([^\W\d]\w*)\s*-?\}\}", source[start:])
    hint = f"a name is one word, such as `{words[1]}_{words[2]}`" if words else ""
    if got == "=":
        hint = "write `==` to compare"
    return TemplateProblem(f"{_NOT}expected {_code(expected)}, got {_code(got)}", hint, start)


def _unexpected(source: str, match: re.Match[str], line: int) -> TemplateProblem:
    got = _TOKENS.get(match[1], match[1])
    expected = f", expected {_code(match[2])}" if match[2] else ""
    return TemplateProblem(f"{_NOT}unexpected {_code(got)}{expected}", "", _failing_tag(source, line))


def _empty(source: str, match: re.Match[str], line: int) -> TemplateProblem:
    got = _TOKENS.get(match[1], match[1])
    return TemplateProblem(f"{_NOT}expected a variable, got {_code(got)}", "", _failing_tag(source, line))


def _code(text: str) -> str:
    return f"`{shown(text) if text.isidentifier() else text}`"


_MESSAGES: tuple[tuple[re.Pattern[str], Callable[[str, re.Match[str], int], TemplateProblem]], ...] = (
    (re.compile(r"No filter named '(.*)'"), _unknown_name("filter")),
    (re.compile(r"No test named '(.*)'"), _unknown_name("test")),
    (re.compile(r"Encountered unknown tag '(\w+)'\.(.*)", re.DOTALL), _unknown_tag),
    (re.compile(r"Unexpected end of template\..*needs to be closed is '(\w+)'", re.DOTALL), _open_block),
    (re.compile(r"unexpected char '(.)' at (\d+)", re.DOTALL), _character),
    (re.compile(r"expected token '(.*)', got '(.*)'", re.DOTALL), _expected),
    (re.compile(r"unexpected '(.*?)'(?:, expected '(.*)')?\Z", re.DOTALL), _unexpected),
    (re.compile(r"Expected an expression, got '(.*)'", re.DOTALL), _empty),
)
"""Jinja's messages, and what explains each."""
