"""``<output>.summary.json``: what the latest run came to, for programs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from batch.codec import encode_json
from batch.results.files import Disk, replace_content, temporary_name
from batch.terminal import escape_json

if TYPE_CHECKING:
    from batch.records import Summary
    from batch.results.files import FileSystem


def summary_path(output: Path) -> Path:
    """Where the summary of an output stands."""
    output = Path(os.path.realpath(output))
    return output.with_name(f"{output.name}.summary.json")


def write_summary(output: Path, summary: Summary, *, files: FileSystem | None = None) -> None:
    """Replace the summary of an earlier run in one step; for the holder of the output's lock.

    What it quotes from servers is escaped, so that it can be shown with ``cat``. Raises ``OSError``.
    """
    files, path = files or Disk(), summary_path(output)
    text = escape_json(msgspec.json.format(encode_json(summary), indent=2).decode())
    files.remove(temporary_name(path))  # of a run that was killed
    replace_content(files, path, [text.encode(), b"\n"])
