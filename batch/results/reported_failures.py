"""``<output>.reported.json``: which failures quiet runs have reported, so that each is mailed once."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime  # noqa: TC003 - msgspec reads it
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from batch.codec import encode_json
from batch.results.filesystem import Disk, open_own, replace_content, temporary_name

if TYPE_CHECKING:
    from batch.results.filesystem import FileSystem

MAX_KEYS = 20_000
"""Failures that are remembered: all that a run keeps. A run that has more reports them each time."""

_MAX_BYTES = 1 << 20  # three times what so many keys take


class ReportedFailures(msgspec.Struct, frozen=True):
    """The keys of the reported failures, and when a run last listed all that were open."""

    listed_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    failures: list[str] = []
    schema_version: Literal[1] = 1


def reported_path(output: Path) -> Path:
    """Return the path of the record of an output."""
    output = Path(os.path.realpath(output))
    return output.with_name(f"{output.name}.reported.json")


def read_reported(output: Path) -> ReportedFailures:
    """Return what was reported; nothing if there is no valid record. Never raises."""
    path = reported_path(output)
    with suppress(OSError, ValueError), open(open_own(path, os.O_RDONLY, like=path), "rb") as file:
        return msgspec.json.decode(file.read(_MAX_BYTES), type=ReportedFailures)
    return ReportedFailures()


def write_reported(output: Path, reported: ReportedFailures, *, files: FileSystem | None = None) -> None:
    """Replace the record in one step; remove it if nothing is open. Raises ``OSError``."""
    files, path = files or Disk(), reported_path(output)
    files.remove(temporary_name(path))  # left by a killed run
    if not reported.failures:
        files.remove(path)
        return
    kept = msgspec.structs.replace(reported, failures=reported.failures[:MAX_KEYS])
    text = msgspec.json.format(encode_json(kept), indent=2)
    replace_content(files, path, [text, b"\n"], like=Path(os.path.realpath(output)))
