"""Read JSON Lines as a stream: objects, or the error in a line."""

from __future__ import annotations

from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, Self

from batch.errors import Diagnostic
from batch.files import MAX_BYTES, open_regular, reason, wide_encoding_by_mark
from batch.jobfile.syntax.file_kinds import HEAD, foreign
from batch.jobfile.syntax.json_damage import damage_of
from batch.jobfile.syntax.json_object import object_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

_BOM = b"\xef\xbb\xbf"
_SAMPLE = 2**16
# Which of the first four bytes are not NUL if the first two characters are ASCII (RFC 4627, section 3).
_BY_NULS = {
    b"\1\0\1\0": "utf-16-le",
    b"\0\1\0\1": "utf-16-be",
    b"\1\0\0\0": "utf-32-le",
    b"\0\0\0\1": "utf-32-be",
}


def objects(
    path: Path, label: str | None = None, *, notes: list[str] | None = None, each: bool = False
) -> Iterator[tuple[int, bytes, dict[str, Any] | Diagnostic]]:
    """Yield each line that is not blank: its number from 1, its bytes, and its object or error.

    ``label`` names the file in errors. A file that cannot be read, or is not JSON Lines as a whole, yields
    one error with the number 0 and ends there. So does a file with a line whose error probably repeats in all
    others, such as NaN; with ``each``, only that line is an error.

    ``notes`` receives notices about the file; with it, UTF-16 and CR line ends are accepted.
    """
    name = label or str(path)
    try:
        with open_regular(path) as file:
            head = file.read(_SAMPLE)
            file.seek(0)
            if (problem := foreign(head[:HEAD], "jsonl")) is not None:
                yield 0, b"", Diagnostic(name, 0, 0, "", *problem)
                return
            with _recoded(file, head, notes) as lines:
                yield from _objects(lines, name, each=each)
    except OSError as error:
        yield 0, b"", Diagnostic(name, 0, 0, "", reason(error))
    except UnicodeDecodeError as error:
        yield 0, b"", Diagnostic(name, 0, 0, "", f"not {error.encoding.upper()}", "save the file as UTF-8")


def _objects(
    file: BinaryIO | _Recoded, name: str, *, each: bool
) -> Iterator[tuple[int, bytes, dict[str, Any] | Diagnostic]]:
    is_first = True
    for number, line in _lines(file):
        value = object_in(line, name, number)
        if isinstance(value, Diagnostic) and (
            damage := damage_of(line, (lambda: _ahead(file)) if is_first else None)
        ):
            value = Diagnostic(name, number, value.column, "", damage.what, damage.hint)
            if damage.is_whole or not each:
                yield 0, line, value
                return
        is_first = False
        yield number, line, value


def _ahead(file: BinaryIO | _Recoded) -> bytes:
    """Return the start of what comes next, without consuming it."""
    place = file.tell()
    data = file.read(_SAMPLE)
    file.seek(place)
    return data


class _Recoded:
    """A file in another encoding, or with other line ends, as lines of UTF-8 that end in LF."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self._text = TextIOWrapper(file, encoding, newline=None)
        self.tell = self._text.tell
        self.seek = self._text.seek

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._text.closed:
            self._text.detach()

    def readline(self, size: int) -> bytes:
        """Return the next line, of at most so many characters."""
        return self._text.readline(size).encode()

    def read(self, size: int) -> bytes:
        """Return the next characters."""
        return self._text.read(size).encode()


def _recoded(file: BinaryIO, head: bytes, notes: list[str] | None) -> BinaryIO | _Recoded:
    if notes is None:
        return file
    if (encoding := _wide(head)) is not None:
        notes.append(f"is not UTF-8; it is read as {encoding.upper()[:6]}")
        return _Recoded(file, encoding)
    if b"\r" in head.rstrip() and b"\n" not in head:
        notes.append("has CR line ends, which are accepted")
        return _Recoded(file, "utf-8-sig")
    return file


def _wide(head: bytes) -> str | None:
    """Return the encoding of a file with two or four bytes per character: JSON begins with ASCII."""
    return wide_encoding_by_mark(head) or _BY_NULS.get(bytes(byte != 0 for byte in head[:4]))


def _lines(file: BinaryIO | _Recoded) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := file.readline(MAX_BYTES + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(_BOM)
        if len(line) > MAX_BYTES and not line.endswith(b"\n"):
            _skip_line(file)
        if not line.isspace() and line:
            yield number, line


def _skip_line(file: BinaryIO | _Recoded) -> None:
    while (rest := file.readline(MAX_BYTES)) and not rest.endswith(b"\n"):
        pass
