"""Whether a job may write to an output, by the record of the job file that wrote it.

A job file is known by its path, and by device and inode while it exists. What the record says of a job file
counts only as long as that file exists: a project that was copied or moved, a renamed job file, and a
container that sees other paths all go on. So does a job that is given as a mapping, which has only a name.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch.codec import well_formed
from batch.errors import OutputOfAnotherJobError, OutputWriteError
from batch.results.filesystem import reason
from batch.results.owner import Owner, owner_path, read_owner, write_owner

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from batch.jobfile.job import JobFile


@dataclass(slots=True)
class Claim:
    """A job that may write to its output.

    ``told`` says that it takes the output over from another job, empty where it does not; ``is_new`` that the
    output has no record of this job yet. ``is_adopted``: a person should know.
    """

    output: Path
    owner: Owner
    is_new: bool
    told: str = ""
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

    ``adopt`` takes it over in any case. Raises ``OutputOfAnotherJobError`` where another job file wrote it
    which still exists.
    """
    mine, found = owner_of(job), read_owner(job.output)
    if not _has_results(job.output) or _is_same(mine, found):
        return Claim(job.output, mine, found != mine)
    if found is None:
        told = f"{job.output} has no record of the job that wrote it; {_called(mine)} takes it over"
        return Claim(job.output, mine, is_new=True, told=told)
    theirs = next((path for path in _candidates(mine, found) if os.path.isfile(path)), None)
    if theirs is None or mine.real is None:
        is_known = found.real is not None and found.output == mine.output
        gone = ", which is not there any more" if theirs is None and is_known else ""
        told = f"{job.output} was written by {_called(found)}{gone}; {_called(mine)} takes it over"
        return Claim(job.output, mine, is_new=True, told=told, is_adopted=True)
    if _is_same_file(theirs, mine.real):
        told = f"{job.output} was written by {_called(found)}, the same file as {_called(mine)}"
        return Claim(job.output, mine, is_new=True, told=told)
    if not adopt:
        raise OutputOfAnotherJobError(
            f"{job.output} was written by another job file, {theirs}; name another output (`-o FILE`, "
            f"`output.path`), or let {mine.written} take it over with `--adopt`"
        )
    told = f"{job.output} was written by {theirs}; {_called(mine)} takes it over"
    return Claim(job.output, mine, is_new=True, told=told, is_adopted=True)


def check_claims(jobs: Iterable[JobFile], *, adopt: bool) -> None:
    """Check that all jobs may write to their outputs. Raises ``OutputOfAnotherJobError``."""
    for job in jobs:
        claim(job, adopt=adopt)


def owner_of(job: JobFile) -> Owner:
    """The job as the record has it. A mapping's job has the folder of its paths in place of a file."""
    output = os.path.realpath(job.output)
    if not os.path.isfile(job.path):
        return Owner(well_formed(job.name), well_formed(output))
    real = os.path.realpath(job.path)
    paths = (os.path.abspath(job.path), real, os.path.relpath(real, os.path.dirname(output)))
    written, real, relative = map(well_formed, paths)
    return Owner(well_formed(job.name), well_formed(output), written, real, relative)


def _is_same(mine: Owner, found: Owner | None) -> bool:
    if found is None or (mine.real is None) != (found.real is None):
        return False
    if mine.real is None:
        return mine.name == found.name
    if {mine.written, mine.real} & {found.written, found.real}:
        return True
    return mine.output != found.output and mine.relative == found.relative


def _candidates(mine: Owner, found: Owner) -> list[str]:
    """Where the job file may be that wrote the output.

    An output that was copied or moved with its record knows it only by the way from there, and one that was
    renamed as well does not know it any more.
    """
    if mine.output == found.output:
        paths = [found.real, found.written]
    elif os.path.basename(mine.output) == os.path.basename(found.output) and found.relative is not None:
        paths = [os.path.join(os.path.dirname(mine.output), found.relative)]
    else:
        paths = []
    return [os.path.normpath(path) for path in paths if path is not None and "\0" not in path]


def _called(owner: Owner) -> str:
    return f"the job {owner.name!r}" if owner.written is None else owner.written


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
