"""``<output>.progress.json``: the progress of the run that is active now, for ``status`` and for programs.

It is replaced about once a second and removed when the run ends. A killed run leaves it behind; so it counts
only while the process that it names holds the output's lock.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from batch.codec import encode_json
from batch.errors import ForeignOutputError
from batch.results.filesystem import Disk, replace_content, temporary_name
from batch.terminal_escaping import escape_json

if TYPE_CHECKING:
    from batch.results.filesystem import FileSystem
    from batch.results.lock import Holder

_MAX_BYTES = 1 << 20


class ParkedState(Struct, frozen=True):
    """Why an endpoint is parked; ``seconds_left`` is ``None`` for the rest of the run."""

    code: str
    is_open: bool = False
    seconds_left: float | None = None


class EndpointProgress(Struct, frozen=True):
    """One endpoint: attempts in flight, their limit, and why it is parked, if it is."""

    name: str
    in_flight: int
    limit: int
    parked: ParkedState | None = None


class RecentFailure(Struct, frozen=True):
    """A failed request; ``at`` is UTC, ISO 8601."""

    id: str
    code: str
    message: str
    at: str


class Progress(Struct, frozen=True):
    """The progress of a run at ``updated_at``, ``seconds`` after its start.

    ``total`` and ``seconds_left`` are ``None`` while they are not known. ``done`` includes what earlier runs
    have done; all other counts are those of this run. ``cost`` is the sum of the known costs, or ``None``.
    ``held_back`` says why fewer requests are in flight than the job allows: ``limits``,
    ``unproven`` or a failure code. ``endpoints`` and ``failures`` are the first and the latest few.
    """

    schema_version: Literal[1]
    pid: int
    host: str
    name: str
    output: str
    started_at: str
    updated_at: str
    seconds: float
    total: int | None
    done: int
    succeeded: int
    failed: dict[str, int]
    attempts: int
    retries: int
    requests_per_second: float
    tokens_per_second: float
    seconds_left: float | None
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    currency: str
    in_flight: int
    limit: int
    retries_waiting: int
    held_back: str | None
    endpoints: list[EndpointProgress]
    failures: list[RecentFailure]


def progress_path(output: Path) -> Path:
    """Return the path of the progress of an output."""
    output = Path(os.path.realpath(output))
    return output.with_name(f"{output.name}.progress.json")


def write_progress(output: Path, progress: Progress, *, files: FileSystem | None = None) -> None:
    """Replace the progress in one step, without waiting for the disk; requires the output's lock.

    Text from servers is escaped, so that it can be shown with ``cat``. Raises ``OSError``.
    """
    files, path = files or Disk(), progress_path(output)
    text = escape_json(encode_json(progress).decode())
    chunks = [text.encode(), b"\n"]
    replace_content(files, path, chunks, like=Path(os.path.realpath(output)), is_durable=False)


def remove_progress(output: Path, *, files: FileSystem | None = None) -> None:
    """Remove the progress of an output, also that of a killed run. Raises ``OSError``."""
    files, path = files or Disk(), progress_path(output)
    files.remove(temporary_name(path))
    files.remove(path)


def active_progress(
    output: Path, held_by: Holder | None, *, files: FileSystem | None = None
) -> Progress | None:
    """Return the progress of the run that holds the lock of an output, else ``None``. Never raises.

    ``held_by`` is the holder of the lock. The progress of a killed run is ignored.
    """
    if held_by is None:
        return None
    with suppress(OSError, ValueError, RecursionError, ForeignOutputError):
        with (files or Disk()).open_read(progress_path(output)) as stream:
            found = msgspec.json.decode(stream.read(_MAX_BYTES), type=Progress)
        if (found.pid, found.host) == (held_by.pid, held_by.host):
            return found
    return None
