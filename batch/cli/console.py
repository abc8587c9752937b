"""Print results and messages, escaped, and colored only if the user wants that."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from batch.cli.streams import to_stderr, to_stdout
from batch.errors import JobFileError, PromptJobsError
from batch.terminal_escaping import escape, escape_json

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_LINE = 1000
"""The maximum length of a line, in characters."""


def is_fancy(stream: TextIO) -> bool:
    """Return whether the stream is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")


def has_colour(stream: TextIO) -> bool:
    """Return whether to use colors: by ``NO_COLOR`` and ``FORCE_COLOR``, else if it is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_fancy(stream)


def counted(number: int, what: str) -> str:
    """``1 line``, ``2 lines``."""
    return f"{number} {what}{'s' * (number != 1)}"


def print_message(text: str) -> None:
    """Print a message on stderr, escaped."""
    to_stderr(escape(text, limit=MAX_LINE))


def red(text: str) -> str:
    """Return the text in red."""
    return f"\x1b[31m{text}\x1b[0m"


def green(text: str) -> str:
    """Return the text in green."""
    return f"\x1b[32m{text}\x1b[0m"


def yellow(text: str) -> str:
    """Return the text in yellow."""
    return f"\x1b[33m{text}\x1b[0m"


def bold(text: str) -> str:
    """Return the text in bold."""
    return f"\x1b[1m{text}\x1b[0m"


def print_traceback(error: BaseException) -> None:
    """Print the traceback of an exception on stderr."""
    import traceback

    for line in "".join(traceback.format_exception(error)).splitlines():
        print_message(line)


def print_line(text: str, limit: int = MAX_LINE) -> None:
    """Print a line of the command's result on stdout, escaped."""
    emit(escape(text, limit=limit))


def emit(text: str) -> None:
    """Print text on stdout, unescaped. Raises ``OutputWriteError``; a closed pipe ends the command."""
    with to_stdout():
        print(text)


def print_json(value: object) -> None:
    """Print the value as JSON on stdout, with every invisible character escaped."""
    from batch.codec import encode_json

    emit(escape_json(encode_json(value).decode()))


def report_error(error: PromptJobsError, lines: Sequence[str] | None = None) -> None:
    """Print the message of an error, one line per diagnostic; or ``lines``, which are escaped already."""
    diagnostics = (
        [str(diagnostic) for diagnostic in error.diagnostics] if isinstance(error, JobFileError) else []
    )
    texts = diagnostics or f"promptjobs: {error}".split("\n")
    painted = red if has_colour(sys.stderr) else str
    for line in lines or [escape(line, limit=MAX_LINE) for line in texts]:
        to_stderr(painted(line))
    if isinstance(error, JobFileError):
        print_message(f"{counted(error.count, 'error')}; nothing was sent")


def print_warnings(lines: Sequence[str]) -> None:
    """Print warnings, which are escaped already."""
    painted = yellow if has_colour(sys.stderr) else str
    for line in lines:
        to_stderr(painted(line))
