"""Open the user's files: only regular files, of bounded size, in UTF-8."""

from __future__ import annotations

import codecs
import os
import re
import stat
from pathlib import Path
from typing import BinaryIO

from batch.errors import Diagnostic, JobFileError
from batch.line_breaks import lines_of

MAX_BYTES = 16 * 2**20
"""The maximum size of a job file and of a row: 16 MiB."""

# The four bytes of UTF-32 begin with the two of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# The characters that YAML does not allow in a stream; NUL is the most common of them. As one class, the
# pattern would take ten times as long to compile.
_NOT_PRINTABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]|[\ud800-\udfff]|[\ufffe\uffff]")


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading. Raises ``OSError``, also for a FIFO, a device or a directory."""
    # Without O_NONBLOCK, opening a FIFO would block. Checking the descriptor avoids a race.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(path, flags)
    except ValueError:  # a NUL in the name
        raise OSError(None, "not a file name") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "not a regular file")
    return os.fdopen(descriptor, "rb")


def reason(error: OSError) -> str:
    """Return why a file cannot be read, without repeating its name."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return (error.strerror or "cannot be read").lower()


def read_text(path: Path) -> str:
    """Return a job file's text. Raises ``JobFileError`` if it cannot be read or is not text."""
    try:
        with open_regular(path) as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise JobFileError([Diagnostic(str(path), 0, 0, "", reason(error))]) from None
    return decode(data, str(path))


def encoding_by_mark(start: bytes) -> str | None:
    """Return the encoding that a byte order mark names, as Python calls it; ``None`` without a mark."""
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def wide_encoding_by_mark(start: bytes) -> str | None:
    """Return the same, but ``None`` for UTF-8."""
    encoding = encoding_by_mark(start)
    return None if encoding == "utf-8-sig" else encoding


def decode(data: bytes, path: str) -> str:
    """Decode the bytes. Raises ``JobFileError`` for anything but printable UTF-8 within the limit."""
    if len(data) > MAX_BYTES:
        raise _unreadable(path, f"is larger than {MAX_BYTES >> 20} MiB", "put rows into a JSONL file")
    if (encoding := wide_encoding_by_mark(data)) is not None:
        raise _unreadable(path, f"is in {encoding.upper()}", "save it as UTF-8")
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(errors="replace")
        raise _at_end_of(before, path, "not UTF-8", "save the file as UTF-8") from None
    if odd := _NOT_PRINTABLE.search(text):
        what = f"the character U+{ord(odd.group()):04X} is not allowed in a job file"
        raise _at_end_of(text[: odd.start()], path, what, "")
    return text


def _unreadable(path: str, what: str, hint: str) -> JobFileError:
    return JobFileError([Diagnostic(path, 0, 0, "", what, hint)])


def _at_end_of(before: str, path: str, what: str, hint: str) -> JobFileError:
    lines = lines_of(before)
    return JobFileError([Diagnostic(path, len(lines), len(lines[-1]) + 1, "", what, hint)])


def relative(path: str) -> str:
    """Return a path below the current folder as messages show it: relative to that folder."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path


def is_unicode(text: str) -> bool:
    """Return whether the text can be sent: it must not contain an unpaired surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
