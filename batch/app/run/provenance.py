"""What a run was made with, and when it began: the versions at work, the job file's hash."""

from __future__ import annotations

import hashlib
import platform
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from batch._version import __version__
from batch.app.run.timestamps import utc_now

if TYPE_CHECKING:
    from pathlib import Path

    from batch.jobfile.job import JobFile

_PACKAGES = ("aiohttp", "anyio", "jinja2", "msgspec", "pydantic", "uvloop", "xllamacpp")
"""Those that shape what is sent, how it is read, or what answers."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is known of a run when it begins; ``at`` is UTC, ``clock`` the steady clock's seconds."""

    at: str
    clock: float
    job_sha256: str | None
    versions: dict[str, str]

    @classmethod
    def of(cls, job: JobFile) -> Beginning:
        """A run begins now. Reads the job file once, which takes a while where that is large."""
        at, clock = utc_now(), time.monotonic()
        return cls(at, clock, sha256(job.path), versions())

    @property
    def seconds(self) -> float:
        """For how long the run has been going."""
        return time.monotonic() - self.clock


def versions() -> dict[str, str]:
    """The version of this program, of Python and of the packages that are installed of those that matter."""
    found = {"promptjobs": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def sha256(path: Path) -> str | None:
    """The SHA-256 of a file in hexadecimal, as ``sha256sum`` prints it; ``None`` where there is no file."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
