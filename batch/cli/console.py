"""Printing for people: on stderr, escaped, coloured only where that is wanted.

Durations on the command line, written as in job files.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from batch.cli.streams import to_stderr, to_stdout
from batch.errors import JobFileError, PromptJobsError
from batch.escaping import escape, escape_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

F = TypeVar("F", bound="Callable[..., Any]")

_RED, _PLAIN = "\x1b[31m", "\x1b[0m"

LONGEST = 1000
"""Characters of one line."""


def option(*names: str, **settings: Any) -> Callable[[F], F]:
    """A flag that can also be given as ``PROMPTJOBS_<LONG NAME>`` in the environment."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    variable = "PROMPTJOBS_" + long.removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, **settings)


def is_fancy(stream: TextIO) -> bool:
    """Whether the stream is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")


def has_colour(stream: TextIO) -> bool:
    """Whether to colour: ``NO_COLOR`` and ``FORCE_COLOR`` are obeyed, a terminal decides else."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_fancy(stream)


def counted(number: int, what: str) -> str:
    """``1 line``, ``2 lines``."""
    return f"{number} {what}{'s' * (number != 1)}"


def say(text: str) -> None:
    """A line for a person, on stderr; whatever it quotes is made harmless."""
    to_stderr(escape(text, limit=LONGEST))


def say_traceback(error: BaseException) -> None:
    """Where an exception came from, on stderr."""
    import traceback

    for line in "".join(traceback.format_exception(error)).splitlines():
        say(line)


def tell(text: str, limit: int = LONGEST) -> None:
    """A line of what was asked for, on stdout; whatever it quotes is made harmless."""
    emit(escape(text, limit=limit))


def emit(text: str) -> None:
    """Text on stdout, as it is. Raises ``OutputWriteError``; nobody reading ends the command."""
    with to_stdout():
        print(text)


def print_json(value: object) -> None:
    """The value as JSON on stdout, with every invisible character written as JSON's own escape."""
    from batch.codec import encode_json

    emit(escape_json(encode_json(value).decode()))


def report_error(error: PromptJobsError, lines: Sequence[str] | None = None) -> None:
    """An error's message: one line, or one line a mistake; or ``lines``, which are harmless already."""
    mistakes = [str(mistake) for mistake in error.mistakes] if isinstance(error, JobFileError) else []
    plainly = mistakes or f"promptjobs: {error}".split("\n")
    red, plain = (_RED, _PLAIN) if has_colour(sys.stderr) else ("", "")
    for line in lines or [escape(line, limit=LONGEST) for line in plainly]:
        to_stderr(f"{red}{line}{plain}")
    if isinstance(error, JobFileError):
        say(f"{counted(error.count, 'mistake')}; nothing was sent")


class Duration(click.ParamType[float]):
    """``90s``, ``500ms``, ``5m``, ``2h``, or a number of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        from batch.jobfile.schema.types import seconds

        if isinstance(value, int | float):
            return float(value)
        try:
            return seconds(str(value))
        except ValueError:
            self.fail(f"{value!r} is no duration; write 90s, 500ms, 5m or 2h", param, ctx)


DURATION = Duration()
