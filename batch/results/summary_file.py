"""``<output>.summary.json``: the summary of the latest run that sent something, for programs."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from batch.codec import encode_json
from batch.errors import ForeignOutputError
from batch.results.filesystem import Disk, replace_content
from batch.run_summary import Summary
from batch.terminal_escaping import escape_json

if TYPE_CHECKING:
    from batch.results.filesystem import FileSystem


class _Sent(msgspec.Struct):
    attempts: int = 0
    sent: int = 0


def summary_path(output: Path) -> Path:
    """Return the path of the summary of an output."""
    output = Path(os.path.realpath(output))
    return output.with_name(f"{output.name}.summary.json")


def write_summary(output: Path, summary: Summary, *, files: FileSystem | None = None) -> None:
    """Replace the summary of an earlier run in one step; requires the output's lock.

    A run that has sent nothing and recorded nothing does not replace the summary of one that has. Text from
    servers is escaped, so that it can be shown with ``cat``. Raises ``OSError``.
    """
    files, path = files or Disk(), summary_path(output)
    if not (summary.attempts or summary.sent) and _has_sent(files, path):
        return
    text = escape_json(msgspec.json.format(encode_json(summary), indent=2).decode())
    replace_content(files, path, [text.encode(), b"\n"], like=Path(os.path.realpath(output)))


def read_summary(output: Path, *, files: FileSystem | None = None) -> Summary | None:
    """Return the summary of the latest run; ``None`` if there is no readable one. Never raises."""
    files = files or Disk()
    with (
        suppress(OSError, ValueError, RecursionError, ForeignOutputError),
        files.open_read(summary_path(output)) as stream,
    ):
        return msgspec.json.decode(stream.read(), type=Summary)
    return None


def currency_in(output: Path) -> str | None:
    """Return the currency of the costs in an output, by its summary; ``None`` if there is none."""
    summary = read_summary(output)
    return None if summary is None else summary.currency


def _has_sent(files: FileSystem, path: Path) -> bool:
    """Whether the summary at ``path`` is of a run that sent or recorded something."""
    with suppress(OSError, ValueError, ForeignOutputError), files.open_read(path) as stream:
        earlier = msgspec.json.decode(stream.read(), type=_Sent)
        return earlier.attempts > 0 or earlier.sent > 0
    return False
