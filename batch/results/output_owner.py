"""``<output>.job.json``: the job that wrote an output, so that no other job overwrites it by accident."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from batch.codec import encode_json
from batch.results.filesystem import Disk, open_own, replace_content

if TYPE_CHECKING:
    from batch.results.filesystem import FileSystem

_MAX_BYTES = 1 << 20  # bytes


class Owner(msgspec.Struct, frozen=True):
    """The job that wrote an output.

    ``written`` is the job file's absolute path as given, ``real`` its path without symbolic links, and
    ``relative`` the real path relative to the output's folder; ``None`` for a job that is not in a file.
    ``output`` is the output's own real path at that time.
    """

    name: str
    output: str
    written: str | None = None
    real: str | None = None
    relative: str | None = None
    schema_version: Literal[1] = 1


def is_same_job(one: Owner, other: Owner) -> bool:
    """Return whether two records name the same job: a file by its paths, and any other job by its name."""
    if (one.real is None) != (other.real is None):
        return False
    if one.real is None:
        return one.name == other.name
    if {one.written, one.real} & {other.written, other.real}:
        return True
    return one.output != other.output and one.relative == other.relative


def job_in_words(owner: Owner) -> str:
    """Return the job as messages name it: by its file, or by its name."""
    return f"the job {owner.name!r}" if owner.written is None else owner.written


def owner_path(output: Path) -> Path:
    """Return the path of the record of an output."""
    output = Path(os.path.realpath(output))
    return output.with_name(f"{output.name}.job.json")


def read_owner(output: Path) -> Owner | None:
    """Return the job that wrote an output; ``None`` if there is no valid record. Never raises."""
    with suppress(OSError, ValueError):
        path = owner_path(output)
        with open(open_own(path, os.O_RDONLY, like=path), "rb") as file:
            return msgspec.json.decode(file.read(_MAX_BYTES), type=Owner)
    return None


def write_owner(output: Path, owner: Owner, *, files: FileSystem | None = None) -> None:
    """Record durably which job writes to an output; requires its lock. Raises ``OSError``."""
    files, path = files or Disk(), owner_path(output)
    text = msgspec.json.format(encode_json(owner), indent=2)
    files.make_directories(path.parent)
    replace_content(files, path, [text, b"\n"], like=Path(os.path.realpath(output)))
