"""Decide whether a job may write to an output, by the record of the job file that wrote it.

A job file is identified by its path, and by device and inode while it exists. The record of a job file counts
only as long as that file exists. So a copied or moved project, a renamed job file, and a container with other
paths all resume. So does a job that is given as a mapping, which has only a name.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec import Struct

from batch.codec import well_formed
from batch.errors import OutputOfAnotherJobError, OutputWriteError
from batch.results.filesystem import reason
from batch.results.output_owner import Owner, is_same_job, job_in_words, owner_path, read_owner, write_owner

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from batch.jobfile.job import JobFile


class Claim(Struct):
    """A job that may write to its output.

    ``notice`` reports a takeover from another job; empty if there is none. ``is_new``: the output has no
    record of this job yet. ``is_adopted``: the notice is a warning.
    """

    output: Path
    owner: Owner
    is_new: bool
    notice: str = ""
    is_adopted: bool = False

    def record(self) -> None:
        """Record durably that the job writes to the output. Raises ``OutputWriteError``."""
        try:
            write_owner(self.output, self.owner)
        except OSError as error:
            what = f"{owner_path(self.output)} cannot be written: {reason(error)}"
            raise OutputWriteError(what) from error
        self.is_new = False


def claim(job: JobFile, *, adopt: bool = False) -> Claim:
    """Look up which job wrote the output.

    ``adopt`` takes it over in any case. Raises ``OutputOfAnotherJobError`` if another job file wrote it that
    still exists.
    """
    owner, found = owner_of(job), read_owner(job.output)
    if not _has_results(job.output) or (found is not None and is_same_job(owner, found)):
        return Claim(job.output, owner, found != owner)
    if found is None:
        notice = f"{job.output} has no record of the job that wrote it; {job_in_words(owner)} takes it over"
        return Claim(job.output, owner, is_new=True, notice=notice)
    other_job = next((path for path in _candidates(owner, found) if os.path.isfile(path)), None)
    if other_job is None or owner.real is None:
        is_known = found.real is not None and found.output == owner.output
        missing = ", which no longer exists" if other_job is None and is_known else ""
        notice = (
            f"{job.output} was written by {job_in_words(found)}{missing}; {job_in_words(owner)} takes it over"
        )
        return Claim(job.output, owner, is_new=True, notice=notice, is_adopted=True)
    if _is_same_file(other_job, owner.real):
        notice = f"{job.output} was written by {job_in_words(found)}, the same file as {job_in_words(owner)}"
        return Claim(job.output, owner, is_new=True, notice=notice)
    if not adopt:
        raise OutputOfAnotherJobError(
            f"{job.output} was written by another job file, {other_job}; name another output (`-o FILE`, "
            f"`output.path`), or let {owner.written} take it over with `--adopt`"
        )
    notice = f"{job.output} was written by {other_job}; {job_in_words(owner)} takes it over"
    return Claim(job.output, owner, is_new=True, notice=notice, is_adopted=True)


def check_claims(jobs: Iterable[JobFile], *, adopt: bool) -> None:
    """Check that all jobs may write to their outputs. Raises ``OutputOfAnotherJobError``."""
    for job in jobs:
        claim(job, adopt=adopt)


def owner_of(job: JobFile) -> Owner:
    """Return the job as the record stores it. For a mapping, the folder of its paths stands for the file."""
    output = os.path.realpath(job.output)
    if not os.path.isfile(job.path):
        return Owner(well_formed(job.name), well_formed(output))
    real = os.path.realpath(job.path)
    paths = (os.path.abspath(job.path), real, os.path.relpath(real, os.path.dirname(output)))
    written, real, relative = map(well_formed, paths)
    return Owner(well_formed(job.name), well_formed(output), written, real, relative)


def _candidates(owner: Owner, found: Owner) -> list[str]:
    """Return the paths at which the job file that wrote the output may be.

    For an output that was copied or moved with its record, only the relative path is valid. If it was
    renamed, too, no path is.
    """
    if owner.output == found.output:
        paths = [found.real, found.written]
    elif os.path.basename(owner.output) == os.path.basename(found.output) and found.relative is not None:
        paths = [os.path.join(os.path.dirname(owner.output), found.relative)]
    else:
        paths = []
    return [os.path.normpath(path) for path in paths if path is not None and "\0" not in path]


def _has_results(output: Path) -> bool:
    try:
        return output.stat().st_size > 0
    except OSError:
        return False


def _is_same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
