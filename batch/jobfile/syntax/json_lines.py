"""Read JSON Lines as a stream: objects, or the error in a line."""

from __future__ import annotations

import json
import re
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, Self

import msgspec

from batch.diagnostics import kind, shown
from batch.errors import Diagnostic
from batch.files import MAX_BYTES, open_regular, reason, wide_encoding_by_mark
from batch.jobfile.syntax.file_kinds import HEAD, foreign
from batch.jobfile.syntax.json_damage import damage_of
from batch.jobfile.syntax.yaml_guard import MAX_DEPTH

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
_BYTE = re.compile(r" \(byte ([0-9]+)\)")
_KEY_END = re.compile(rb'"\s*:')
_CONTAINERS = frozenset({dict, list})
_decode = msgspec.json.Decoder().decode


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
        value = _object(line, name, number)
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


def _object(line: bytes, path: str, number: int) -> dict[str, Any] | Diagnostic:
    try:
        if len(line) <= MAX_BYTES and not _is_deep(line, value := _decode(line)):
            if isinstance(value, dict):
                key = _repeated(line, value)
                return value if key is None else _duplicate_key(line, path, number, key)
            return Diagnostic(path, number, 1, "", f"expected a JSON object, got {kind(value)}")
    except (UnicodeDecodeError, msgspec.DecodeError) as error:
        return _not_utf8(line, path, number) or _not_json(line, path, number, error)
    except (RecursionError, ValueError):
        pass
    what = (
        f"larger than {MAX_BYTES >> 20} MiB" if len(line) > MAX_BYTES else f"nested over {MAX_DEPTH} levels"
    )
    return Diagnostic(path, number, 1, "", f"a row {what}")


def _is_deep(line: bytes, value: object) -> bool:
    """Return whether the value of the line is nested too deeply. Most rows have plain values only."""
    if isinstance(value, dict) and _CONTAINERS.isdisjoint(map(type, value.values())):
        return False
    if line.count(b"{") + line.count(b"[") <= MAX_DEPTH:
        return False
    depth = 0
    for token in re.finditer(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', line, re.DOTALL):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token.group(), 0)
        if depth > MAX_DEPTH:
            return True
    return False


def _repeated(line: bytes, value: dict[str, Any]) -> str | None:
    """Return a key that one of the line's objects has twice; a decoder would keep only the last value.

    Every key is followed by a colon. So counting clears most rows, and only those whose texts contain what
    looks like the end of a key are decoded twice.
    """
    ends = line.count(b":")
    if ends == len(value):
        return None
    ends = len(_KEY_END.findall(line))
    if ends == len(value) or ends == _keys(value):
        return None
    repeated: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                repeated.append(key)
            seen.add(key)

    json.loads(line, object_pairs_hook=note)
    return repeated[0] if repeated else None


def _keys(value: Any) -> int:
    """Return the number of keys of all objects in a value."""
    keys, parts = (len(value), value.values()) if isinstance(value, dict) else (0, value)
    for part in parts:
        if type(part) in _CONTAINERS:
            keys += _keys(part)
    return keys


def _duplicate_key(line: bytes, path: str, number: int, key: str) -> Diagnostic:
    first = line.find(encoded := msgspec.json.encode(key))
    at = line.find(encoded, first + 1)
    column = len(line[:at].decode(errors="replace")) + 1 if 0 <= first < at else 1
    return Diagnostic(path, number, column, shown(key), "duplicate key", "leave one of them out")


def _not_utf8(line: bytes, path: str, number: int) -> Diagnostic | None:
    """Return the first error in the encoding; ``None`` for UTF-8. Versions of msgspec report others."""
    hint = "save the file as UTF-8"
    if number == 1 and (encoding := wide_encoding_by_mark(line)) is not None:
        return Diagnostic(path, number, 1, "", f"is in {encoding.upper()}", hint)
    try:
        line.decode()
    except UnicodeDecodeError as error:
        column = len(line[: error.start].decode(errors="replace")) + 1
        return Diagnostic(path, number, column, "", f"not UTF-8 ({error.reason})", hint)
    return None


def _not_json(
    line: bytes, path: str, number: int, error: UnicodeDecodeError | msgspec.DecodeError
) -> Diagnostic:
    text = str(error).partition(" - at ")[0].replace("JSON is malformed: ", "")
    if text == "Input data was truncated":
        if _is_json(line):
            text = "an unpaired surrogate"  # msgspec uses one message for both
        end = len(line.decode(errors="replace").rstrip()) + 1
        return Diagnostic(path, number, end, "", _message(text))
    at = _BYTE.search(text)
    column = len(line[: int(at[1])].decode(errors="replace")) + 1 if at else 1
    return Diagnostic(path, number, column, "", _message(_BYTE.sub("", text)))


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _message(text: str) -> str:
    return f"not JSON: {text[:1].lower()}{text[1:]}"


def column_of(line: bytes, key: str) -> int:
    """Return the column of a key in a line, from 1; 1 if it is not written plainly."""
    at = line.find(msgspec.json.encode(key))
    return len(line[:at].decode(errors="replace")) + 1 if at >= 0 else 1
