"""``<output>.runs.jsonl``: one line for each run that sent or recorded something, the oldest first.

A line is appended as a whole or not at all, and durably. A partial line, which a killed run or a full disk
may leave, is removed by the next append. A reader skips lines that it cannot read. The results do not depend
on this file.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from batch.codec import encode_json
from batch.errors import ForeignOutputError
from batch.results.filesystem import Disk, replace_content, temporary_name, write_all
from batch.results.run_record import RunRecord
from batch.terminal_escaping import escape_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch.results.filesystem import FileSystem

SUFFIX = ".runs.jsonl"

MAX_BYTES = 8 << 20
"""Maximum size of the file; an append that would exceed it first removes the oldest half."""

_BEGIN = re.compile(rb'\{"schema_version":[0-9]{1,9},"summary":')
_SHORTEST = b'{"schema_version":1,"summary":'


def history_path(output: Path) -> Path:
    """Return the path of the history of an output."""
    output = Path(os.path.realpath(output))
    return output.with_name(output.name + SUFFIX)


def read_history(output: Path, *, files: FileSystem | None = None) -> list[RunRecord]:
    """Return the recorded runs, the oldest first; none if there is no readable history. Never raises."""
    with suppress(OSError, ForeignOutputError):
        lines, _ = _stored(files or Disk(), history_path(output))
        return [record for line in lines if (record := _decoded(line)) is not None]
    return []


def append_run(
    output: Path, record: RunRecord, *, files: FileSystem | None = None, max_bytes: int = MAX_BYTES
) -> None:
    """Append a run durably; requires the output's lock. The file gets the output's mode.

    Text from servers is escaped, so that it can be shown with ``cat``. Raises ``OSError``, and
    ``ForeignOutputError`` for a file that is not a history.
    """
    files, path, output = files or Disk(), history_path(output), Path(os.path.realpath(output))
    line = escape_json(encode_json(record).decode()).encode() + b"\n"
    lines, end = _stored(files, path)
    files.remove(temporary_name(path))  # left by a killed run
    if end + len(line) > max_bytes:
        kept = _newest(lines, max_bytes // 2)
        replace_content(files, path, [*kept, line], like=output)
    else:
        _append(files, path, line, end, like=output)


def _stored(files: FileSystem, path: Path) -> tuple[list[bytes], int]:
    """Return the complete lines, and where they end in the file. Only the end of a huge file is read.

    Raises ``OSError``, and ``ForeignOutputError`` for a file that is not a history.
    """
    state = files.state(path)
    if state is None or not state.size:
        return [], 0
    with files.open_read(path) as stream:
        stream.seek(max(0, state.size - 2 * MAX_BYTES))
        lines = stream.read().splitlines(keepends=True)
    partial = lines.pop() if not lines[-1].endswith(b"\n") else b""
    if not any(map(_is_ours, [*lines, partial])):
        raise ForeignOutputError(f"{path} is not a history of runs")
    return lines, state.size - len(partial)


def _append(files: FileSystem, path: Path, line: bytes, end: int, *, like: Path) -> None:
    """Append the line at ``end``, where the complete lines end. After an error, remove what was written."""
    descriptor = files.open_append(path, like=like)
    try:
        files.truncate(descriptor, end)
        try:
            write_all(files, descriptor, line)
            files.sync(descriptor)
        except OSError:
            with suppress(OSError):
                files.truncate(descriptor, end)
            raise
    finally:
        files.close(descriptor)
    files.sync_directory(path.parent)


def _newest(lines: Iterable[bytes], size: int) -> list[bytes]:
    """Return the last lines that take at most ``size`` bytes."""
    kept: list[bytes] = []
    for line in reversed(list(lines)):
        size -= len(line)
        if size < 0:
            break
        kept.append(line)
    return kept[::-1]


def _is_ours(line: bytes) -> bool:
    """Return whether a line is one of a history, or what a killed run or a power failure left of it."""
    start = line.strip(b"\0")
    return bool(_BEGIN.match(line)) or (bool(line) and _SHORTEST.startswith(start))


def _decoded(line: bytes) -> RunRecord | None:
    with suppress(ValueError, RecursionError):
        return msgspec.json.decode(line, type=RunRecord)
    return None
