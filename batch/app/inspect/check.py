"""Check that an output is complete: each request has exactly one line that answers it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from batch.app.run.plan import open_source
from batch.app.setup.reclassified import restate_of
from batch.inputs.precheck import check
from batch.results.reader import ResultReader, reading
from batch.scheduling.resume import State, state

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from batch.inputs.bad_rows import Origin
    from batch.jobfile.job import JobFile
    from batch.records import Request

EXAMPLES = 10
"""Ids that are listed of each kind; the others are only counted."""


@dataclass(slots=True)
class Ids:
    """A number of ids, and the first few of them."""

    number: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, request_id: str) -> None:
        """Add an id."""
        self.number += 1
        if len(self.first) < EXAMPLES:
            self.first.append(request_id)


@dataclass(slots=True)
class Audit:
    """The findings. ``missing`` requests have no line; ``stale`` ones a line that answers something else.

    ``duplicates`` are the ids of lines that a later line with the same id supersedes. ``orphans`` are the ids
    of lines whose request the job does not have; they are not an error. ``damaged`` lines are partial or
    unreadable. ``restated`` lines have a status that contradicts their finish reason, which decides.
    """

    output: Path
    requests: int = 0
    succeeded: int = 0
    failed: int = 0
    missing: Ids = field(default_factory=Ids)
    stale: Ids = field(default_factory=Ids)
    duplicates: Ids = field(default_factory=Ids)
    orphans: Ids = field(default_factory=Ids)
    damaged: int = 0
    restated: Ids = field(default_factory=Ids)

    @property
    def pending(self) -> int:
        """Requests that have neither a result nor a failure of what the job asks now."""
        return self.missing.number + self.stale.number

    @property
    def is_valid(self) -> bool:
        """Whether each request has exactly one result or error, and every line is valid."""
        kinds = (self.missing, self.stale, self.duplicates, self.restated)
        return not (self.damaged or any(ids.number for ids in kinds))


def audit(job: JobFile) -> Audit:
    """Compare a job with its output, which is not changed.

    Raises ``JobFileError``, and ``UsageError`` if the output cannot be read or was not written by promptjobs.
    """
    found = Audit(job.output)
    with reading(job.output), ResultReader(job.output, restate_of(job)) as lines:
        index = lines.contents.index

        def see(request: Request, _: Origin) -> None:
            found.requests += 1
            index.claim(request.id)
            _count(found, request, state(request, index.get(request.id)))

        check(open_source(job), see)
        found.damaged = lines.contents.damaged
        found.duplicates = _ids(lines, index.superseded, index.superseded_lines())
        found.restated = _ids(lines, index.restated_codes().total(), index.restated())
        claimed = sum(1 for _ in index.claimed())
        found.orphans = _ids(lines, len(index) - claimed, index.unclaimed())
    return found


def _count(found: Audit, request: Request, where: State) -> None:
    if where is State.NEW:
        found.missing.add(request.id)
    elif where is State.CHANGED:
        found.stale.add(request.id)
    elif where is State.DONE:
        found.succeeded += 1
    else:
        found.failed += 1


def _ids(lines: ResultReader, number: int, numbers: Iterable[int]) -> Ids:
    first: Sequence[int] = list(islice(numbers, EXAMPLES))
    return Ids(number, [result.id for result in lines.at(first)])
