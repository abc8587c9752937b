"""Read one JSON object, or say what is wrong and in which column."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from batch.diagnostics import kind, shown
from batch.errors import Diagnostic
from batch.files import MAX_BYTES, wide_encoding_by_mark
from batch.jobfile.syntax.yaml_guard import MAX_DEPTH

_BYTE = re.compile(r" \(byte ([0-9]+)\)")
_KEY_END = re.compile(rb'"\s*:')
_CONTAINERS = frozenset({dict, list})
_decode = msgspec.json.Decoder().decode


def object_in(line: bytes, path: str, number: int) -> dict[str, Any] | Diagnostic:
    """Return the object that a line holds, or its error, whose place is line ``number`` of a file."""
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
