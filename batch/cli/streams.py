"""Standard streams that are closed, full, or read by nobody: they end no run, and hide not how it ended."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

import click

from batch.errors import OutputWriteError

if TYPE_CHECKING:
    from collections.abc import Iterator

READER_GONE = 141
"""What a shell makes of a command that nobody reads any more, as with ``| head``."""


def open_missing() -> None:
    """Open those that are closed on the null device: no file or socket may get their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
            os.set_inheritable(null, True)  # noqa: FBT003 - it takes no keywords
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


@contextmanager
def to_stdout() -> Iterator[None]:
    """Around what writes to standard output: ends the command where nobody reads that.

    Raises ``OutputWriteError`` where it cannot be written for another reason.
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
    """Write a line for a person, who may have gone."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        _drop(sys.stderr)


def settle() -> None:
    """Nothing more will be written: let go what standard error does not take."""
    try:
        sys.stderr.flush()
    except OSError:
        _drop(sys.stderr)


def _drop(stream: TextIO) -> None:
    """Let go what the stream has buffered: Python would try it again at its end, and exit with 120."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
