"""Sources for tests: a job in a folder, and its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.inputs import JobSource
from batch.jobfile import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from batch.jobfile import JobFile
    from batch.records import Request


def source_of(job: JobFile, identities: Mapping[str, Mapping[str, str]] | None = None) -> JobSource:
    """The source of a job."""
    return JobSource(job, identities or {})


def source(path: Path, flags: Mapping[str, object] | None = None, *, allow: Sequence[Path] = ()) -> JobSource:
    """The source of a job file, which may read the folders ``allow`` besides its own."""
    return source_of(load(path, overrides=flags, allow=allow))


def by_id(requests: JobSource) -> dict[str, Request]:
    """Return all requests; their ids must be unique."""
    everything = list(requests.requests())
    result = {request.id: request for request in everything}
    assert len(result) == len(everything)
    return result


def marks(requests: JobSource) -> dict[str, str]:
    """The fingerprint of each id."""
    return {name: request.fingerprint for name, request in by_id(requests).items()}
