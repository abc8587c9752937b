"""Standard streams that are closed, full, or no longer read. They must not end a run or hide how it ended."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

import click

from batch.errors import OutputWriteError

if TYPE_CHECKING:
    from collections.abc import Iterator

READER_GONE = 141
"""The exit code of a command whose output pipe was closed, as with ``| head`` (128 + SIGPIPE)."""


def open_missing() -> None:
    """Open closed standard streams on the null device, so that no file or socket gets their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is `number`
            os.set_inheritable(null, True)  # noqa: FBT003 - the function takes no keyword arguments
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


@contextmanager
def to_stdout() -> Iterator[None]:
    """Guard writing to standard output: end the command if the reader has closed the pipe.

    Raises ``OutputWriteError`` if it cannot be written for another reason.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _drop(sys.stdout)
        raise click.exceptions.Exit(READER_GONE) from None
    except OSError as error:
        _drop(sys.stdout)
        raise OutputWriteError(f"standard output cannot be written: {error.strerror}") from error


def to_stderr(line: str) -> None:
    """Write a line to stderr; ignore that it may be closed."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        _drop(sys.stderr)


def settle() -> None:
    """Flush standard error at the end; drop what it does not accept."""
    try:
        sys.stderr.flush()
    except OSError:
        _drop(sys.stderr)


def end_at_once(code: int) -> None:
    """End the process, with all that was printed.

    The regular end waits for busy threads, and those of Ray may crash it meanwhile.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code)


def _drop(stream: TextIO) -> None:
    """Drop what the stream has buffered: otherwise Python would flush it at exit, and exit with 120."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
