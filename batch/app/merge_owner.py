"""Decide whether outputs are of one job, by the records of the job files that wrote them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batch.codec import well_formed
from batch.errors import OutputOfAnotherJobError
from batch.results.output_owner import is_same_job, job_in_words, read_owner

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch.results.output_owner import Owner


def merged_owner(sources: Sequence[Path], target: Path) -> Owner | None:
    """Return the record of the job for the merged output; ``None`` if no output has one.

    An output without a record, such as one that was copied alone, may be of any job. Raises
    ``OutputOfAnotherJobError`` if two outputs are of different jobs.
    """
    found = [(path, owner) for path in sources if (owner := read_owner(path)) is not None]
    if not found:
        return None
    first, owner = found[0]
    for path, other in found[1:]:
        if _is_another(owner, other):
            raise OutputOfAnotherJobError(
                f"{path} is an output of {job_in_words(other)}, and {first} one of {job_in_words(owner)}; "
                "merge outputs of one job"
            )
    return _moved(owner, first, target)


def _is_another(one: Owner, other: Owner) -> bool:
    """Return whether two records name different jobs; a job file that is missing may have been moved."""
    if one.real is not None and other.real is not None and one.real != other.real:
        try:
            return not os.path.samefile(one.real, other.real)
        except (OSError, ValueError):
            pass
    return not is_same_job(one, other) and one.name != other.name


def _moved(owner: Owner, output: Path, target: Path) -> Owner:
    """Return the record for another output of the job; its relative path starts at the output's folder."""
    relative = owner.relative
    if relative is not None:
        job = os.path.normpath(os.path.join(output.parent, relative))
        relative = well_formed(os.path.relpath(job, target.parent))
    return replace(owner, output=well_formed(str(target)), relative=relative)
