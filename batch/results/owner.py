"""``<output>.job.json``: which job wrote an output, so that another job does not overwrite it by mistake."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from batch.codec import encode_json
from batch.results.filesystem import Disk, open_own, replace_content, temporary_name

if TYPE_CHECKING:
    from batch.results.filesystem import FileSystem

_LARGEST = 1 << 20  # bytes


class Owner(msgspec.Struct, frozen=True):
    """The job that wrote an output.

    ``written`` is the job file's absolute path as it was given, ``real`` the same without symbolic links, and
    ``relative`` the real path as seen from the output's folder; ``None`` for a job that is not in a file.
    ``output`` is the output's own real path at that time.
    """

    name: str
    output: str
    written: str | None = None
    real: str | None = None
    relative: str | None = None
    schema_version: Literal[1] = 1


def owner_path(output: Path) -> Path:
    """Where the record of an output stands."""
    output = Path(os.path.realpath(output))
    return output.with_name(f"{output.name}.job.json")


def read_owner(output: Path) -> Owner | None:
    """Return the job that wrote an output; ``None`` where nothing says so. Never raises."""
    with suppress(OSError, ValueError):
        path = owner_path(output)
        with open(open_own(path, os.O_RDONLY, like=path), "rb") as file:
            return msgspec.json.decode(file.read(_LARGEST), type=Owner)
    return None


def write_owner(output: Path, owner: Owner, *, files: FileSystem | None = None) -> None:
    """Record durably which job writes to an output; for the holder of its lock. Raises ``OSError``."""
    files, path = files or Disk(), owner_path(output)
    text = msgspec.json.format(encode_json(owner), indent=2)
    files.make_directories(path.parent)
    files.remove(temporary_name(path))  # of a run that was killed
    replace_content(files, path, [text, b"\n"], like=Path(os.path.realpath(output)))
