"""Prompt templates: sandboxed Jinja2; undefined names are errors, data is never a template."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import (
    StrictUndefined,
    TemplateError,
    TemplateRuntimeError,
    TemplateSyntaxError,
    Undefined,
    meta,
    nodes,
    pass_context,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from batch.jobfile.nulls import EmptyValueError, UnprintableError, Unreadable, guarded, is_null

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.runtime import Context

MAX_LENGTH = 128 * 2**20
"""Maximum number of characters of a rendered text: twice the largest document."""

PRINTED = " printed"
"""The filter that checks what is printed. No template can name it."""

FAILURES = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    RecursionError,
    MemoryError,
)
"""What filling a template may raise."""

_MAX_BITS = 10_000
_MARKUP = re.compile(r"\{[{%#]")


@pass_context
def _printable(context: Context, value: object) -> object:
    """Return the value, unless it is null, or the result of a missing ``()`` or ``|join``."""
    if isinstance(value, str | Undefined):
        return value
    if is_null(value):
        raise EmptyValueError(_column(context, value))
    if callable(value):
        name = getattr(value, "__name__", None) or getattr(value, "name", "…")  # the latter is a macro
        what = f"the template prints `{name}` itself, not its result"
        raise UnprintableError(what, f"write `{name}()`; or `['{name}']` for a key of that name")
    if isinstance(value, Iterator):
        what = "the template prints a generator, not a list"
        raise UnprintableError(what, "end it with `|join(', ')` or `|list`")
    if isinstance(value, bytes):
        hint = f"leave the column {column} out" if (column := _column(context, value)) else ""
        raise UnprintableError("the template prints bytes, not text", hint or "leave that column out")
    if isinstance(value, Unreadable):
        column = _column(context, value)
        raise UnprintableError(f"column {column}: {value.what}" if column else value.what, "leave it out")
    return value


@pass_context
def _printable_or_empty(context: Context, value: object) -> object:
    """Return the same, with an empty text for each null."""
    return "" if is_null(value) else _printable(context, value)


def _column(context: Context, value: object) -> str:
    """Return the variable that holds this very value, if any."""
    names = [name for name, held in context.parent.items() if held is value]
    return f"`{names[0]}`" if len(names) == 1 else ""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, in which no single operation takes hours or all memory."""

    intercepted_binops = frozenset(("**", "*", "%"))

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        """Return the template's code. Operands of ``~`` are checked like printed values."""
        for joined in source.find_all(nodes.Concat):
            joined.nodes = [nodes.Filter(each, PRINTED, [], [], None, None) for each in joined.nodes]
        return super()._generate(source, name, filename, defer_init)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Return the result, unless it would be too large a number or text."""
        if operator == "**" and isinstance(left, int) and isinstance(right, int):
            if left.bit_length() * right > _MAX_BITS:
                raise TemplateRuntimeError("a power that is too large")
        elif operator == "*" and (
            _length(left) * _times(right) > MAX_LENGTH or _length(right) * _times(left) > MAX_LENGTH
        ):
            raise TemplateRuntimeError("a text that is too long")
        elif operator == "%" and isinstance(left, str):
            _check_inserted(right)
        return super().call_binop(context, operator, left, right)


def _check_inserted(values: object) -> None:
    """Raise ``EmptyValueError`` if null would be inserted into a text."""
    if any(map(is_null, values if isinstance(values, tuple) else (values,))):
        raise EmptyValueError("")


def _length(value: object) -> int:
    return len(value) if isinstance(value, str | list | tuple) else 0


def _times(value: object) -> int:
    return value if isinstance(value, int) else 0


@cache
def environment(*, sends_empty: bool = False) -> Environment:
    """Return the environment of prompts. Null and NaN are errors, or with ``sends_empty`` print nothing."""
    printable = _printable_or_empty if sends_empty else _printable
    result = _Sandbox(
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        # Neither the optimizer nor a finalizer without context: both would evaluate constants while
        # compiling, and `{{ 9**9**9 }}` would block a mere check of the file.
        optimized=False,
        finalize=printable,
    )
    # Without Jinja's globals, a missing column called `dict` or `joiner` is an error like any other.
    result.globals = {"range": result.globals["range"]}
    # A prompt must render the same each time; otherwise no result would ever match its request.
    del result.filters["random"]
    result.filters |= guarded(result.filters, sends_empty=sends_empty)
    result.filters[PRINTED] = printable
    return result


def names_in(source: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the variables that a template uses, and those of them that it requires.

    A variable that the template tests with ``is defined``, or gives a default, is not required. A template
    with invalid syntax uses none.
    """
    if is_plain(source):
        return frozenset(), frozenset()
    try:
        syntax = environment().parse(source)
        used = frozenset(meta.find_undeclared_variables(syntax)) - environment().globals.keys()
    except (TemplateSyntaxError, RecursionError):
        return frozenset(), frozenset()
    tests = [each.node for each in syntax.find_all(nodes.Test) if each.name in ("defined", "undefined")]
    defaults = [each.node for each in syntax.find_all(nodes.Filter) if each.name in ("default", "d")]
    optional = {node.name for node in (*tests, *defaults) if isinstance(node, nodes.Name)}
    return used, used - optional


def is_plain(source: str) -> bool:
    """Return whether a text is the same after rendering. Jinja also normalizes line ends."""
    return not ("{" in source and _MARKUP.search(source)) and "\r" not in source


def pieces_of(source: str) -> list[tuple[str, str | None]] | None:
    """Return texts, and names that stand for one; ``None`` if the template does more than print them.

    Raises ``TemplateSyntaxError``.
    """
    if is_plain(source):
        return [(source, None)]
    pieces: list[tuple[str, str | None]] = []
    for output in environment().parse(source).body:
        for node in output.nodes if isinstance(output, nodes.Output) else [output]:
            if isinstance(node, nodes.TemplateData):
                pieces.append((node.data, None))
            elif isinstance(node, nodes.Name) and node.name != "self":
                pieces.append(("", node.name))
            else:
                return None
    return pieces
