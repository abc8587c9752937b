"""The flags that select requests by their ids and error codes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from batch.cli.option_types import PerLine

if TYPE_CHECKING:
    from collections.abc import Callable

    import click

F = TypeVar("F")


class ErrorCode(PerLine):
    """An error code of a failed request, or a pattern of codes."""

    name = "code"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the code as it is written. Fail for one that differs a little from a known one."""
        code = str(value)
        if hint := _correction(code):
            self.fail(f"{code!r} is not an error code; {hint}", param, ctx)
        return code


def _correction(code: str) -> str:
    """Return a hint with the known code that was probably meant; empty if the code may be right."""
    from batch.diagnostics import did_you_mean
    from batch.failure_codes import FAILURE_CODES

    if code in FAILURE_CODES or re.fullmatch(r"http_\d{3}", code) or set(code) & set("*?["):
        return ""
    if status := re.fullmatch(r"(?i:http)?\W?_?(\d{3})", code):
        return f"did you mean `http_{status[1]}`?"
    return did_you_mean(code, FAILURE_CODES)


def code_option(make: Callable[..., Callable[[F], F]]) -> Callable[[F], F]:
    """Return the decorator for ``--code``; ``make`` is ``option`` or ``click.option``."""
    return make(
        "--code",
        "codes",
        multiple=True,
        type=ErrorCode(),
        metavar="CODE",
        help="Select requests that have failed with this error code, or with one that matches a pattern such "
        "as 'http_5*'. Can be repeated.",
    )
