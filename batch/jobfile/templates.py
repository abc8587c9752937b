"""The language of prompts: Jinja2 in its sandbox, undefined names are errors, data is never a template."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from jinja2 import StrictUndefined, TemplateSyntaxError, meta, pass_context
from jinja2.sandbox import ImmutableSandboxedEnvironment

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.runtime import Context


@pass_context
def _as_it_is(_context: Context, value: object) -> object:
    return value


@cache
def environment() -> Environment:
    """The one environment of all prompts."""
    result = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        # Neither the optimiser nor a finalizer that needs no context: both would evaluate constants while
        # compiling, and `{{ 9**9**9 }}` would hang a mere check of the file.
        optimized=False,
        finalize=_as_it_is,
    )
    # Without Jinja's own globals a forgotten column called `dict` or `joiner` is an error, as any other.
    result.globals = {"range": result.globals["range"]}
    return result


def syntax_complaint(source: str) -> tuple[str, int] | None:
    """What is wrong with a template's syntax, and on which of its lines (from 1)."""
    try:
        syntax = environment().parse(source)
        if any(True for _ in meta.find_referenced_templates(syntax)):
            return "a prompt cannot include another template", 1
        environment().compile(source)
    except TemplateSyntaxError as error:
        return f"not a template: {error.message or 'wrong syntax'}", error.lineno
    except (RecursionError, MemoryError, OverflowError, SyntaxError, ValueError):
        return "not a template: too deeply nested or too large", 1
    return None
