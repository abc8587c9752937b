"""The requests of a job: a lazy stream that can be read repeatedly, whole or for one target."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from batch.diagnostics import in_order
from batch.errors import Diagnostic, JobFileError
from batch.inputs.bad_rows import NO_TARGET, BadIds, Origin, PlaceIds, gone
from batch.inputs.expand import Draft, drafts
from batch.inputs.identity import Ordinals
from batch.inputs.readers.all_rows import read_rows
from batch.inputs.readers.row import BadDraft, BadRow, Caution, Note
from batch.inputs.request_factory import RequestFactory
from batch.jobfile.job import DOCUMENTS
from batch.records import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence

    from batch.inputs.readers.row import Read
    from batch.jobfile import JobFile

Step: TypeAlias = tuple[Request, Origin] | Diagnostic | None
"""A step of reading a job: a request with its origin, an error, or ``None``, as a pause after other rows."""


class JobSource:
    """The requests of one job, as ``protocols.Source``.

    ``identities`` maps targets on the embedded endpoint to what answers there; the fingerprint contains it.
    Of a job with a ``shard`` only the requests of that are yielded, and the errors of all rows.
    """

    def __init__(self, job: JobFile, identities: Mapping[str, Mapping[str, str]]) -> None:
        self.job = job
        self._factory = RequestFactory(job, identities)
        self._skips = job.inputs is not None and job.inputs.skips
        self._places = PlaceIds()
        self._notes: dict[str, dict[str, None]] = {}
        self._warnings: dict[Diagnostic, None] = dict.fromkeys(job.warnings)

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of all targets, in the job's order."""
        return self._factory.targets

    @property
    def has_repeats(self) -> bool:
        """Whether requests that were read, in any shard, differ in nothing but their ordinal."""
        return self._factory.has_repeats

    def prepare(self) -> None:
        """Read what ids depend on, so that later calls are fast."""
        self._factory.composed.prepare()

    @property
    def of_documents(self) -> bool:
        """Whether each row is a document, with its path as its id."""
        return self.job.inputs is not None and self.job.inputs.kind == DOCUMENTS

    @property
    def notices(self) -> list[str]:
        """Warnings about the job file, and notices about the files that have been read so far."""
        return [*map(str, self.warnings), *self.file_notices]

    @property
    def warnings(self) -> list[Diagnostic]:
        """Warnings about the job file, as far as the inputs have been read."""
        return in_order(list(self._warnings))

    @property
    def file_notices(self) -> list[str]:
        """Notices about the shard, and about the files that have been read so far."""
        of_files = [_notice(what, list(paths)) for what, paths in self._notes.items()]
        return [self.job.shard_notice, *of_files] if self.job.shard_notice else of_files

    def requests(self, target: str | None = None) -> Iterator[Request]:
        """Yield all requests in the job's order, by row, prompt and model; or only those of one target.

        With ``on_bad_row: skip`` an invalid row is a request to ``NO_TARGET``, which belongs to the first
        target. Raises ``JobFileError`` at the first invalid row, which ``check`` reports beforehand.
        """
        is_first = target in (None, self.targets[0])
        for step in self.trace(target):
            if isinstance(step, Diagnostic):
                raise JobFileError([step])
            if step is not None and (is_first or step[1].bad is None):
                yield step[0]

    def trace(self, target: str | None = None, *, samples: bool = True) -> Iterator[Step]:
        """Yield all requests, or those of one target, with their origins, and errors for what is invalid.

        An invalid row that is skipped is yielded for every target. Without ``samples``, only the first sample
        of each draft is yielded.
        """
        return self._read(target, None, self._checked(), self.job.samples if samples else 1)

    def cursor(self, target: str, marks: Container[int] | None = None) -> Iterator[Step]:
        """Yield the requests of one target once more, after the job was checked.

        As ``trace``, but if rows were checked, one that has become invalid is a request that is not sent
        (``Origin.bad``), with its former ids. With ``marks``, only drafts with these numbers are examined,
        which is correct if no two requests have equal names without their ordinals (``Ordinals``).
        """
        return self._read(target, marks, lambda row: self._gone(target, row), self.job.samples)

    def _read(
        self,
        target: str | None,
        marks: Container[int] | None,
        bad: Callable[[BadRow], Iterator[Step]],
        samples: int,
    ) -> Iterator[Step]:
        """Read the job once. ``bad`` says what an invalid row is; each draft has so many ``samples``."""
        ordinals = Ordinals() if marks is None else None
        indexes = self._factory.indexes(target)
        for draft in drafts(self.job, marks):
            if not isinstance(draft, Draft):
                if isinstance(draft, Caution | Note):
                    self._keep(draft)
                elif isinstance(draft, BadRow):
                    yield from bad(draft)
                else:
                    yield draft
                continue
            found = False
            for index in draft.targets:
                if index not in indexes:
                    continue
                for sample in range(1, samples + 1):
                    request = self._factory.request(draft, index, sample, ordinals)
                    if request is not None and (target is None or request.target == target):
                        found = True
                        yield request, Origin(draft.path, draft.line, draft.number, None, draft.variables)
            if not found:
                yield None

    def _keep(self, found: Caution | Note) -> None:
        """Keep a warning or a notice; each reading of the inputs yields them again."""
        if isinstance(found, Caution):
            self._warnings[found.warning] = None
        else:
            self._notes.setdefault(found.what, {})[found.path] = None

    def _checked(self) -> Callable[[BadRow], Iterator[Step]]:
        """Yield the error of each invalid row, or if those are skipped, a request that is not sent."""
        ids = BadIds(self._factory.composed, self._places)

        def of(row: BadRow) -> Iterator[Step]:
            if not self._skips:
                yield row.diagnostic
                return
            if not self._places.is_read:
                yield from self._places.read(self._rows_of_places())
            yield self._factory.refused(row, ids)

        return of

    def _rows_of_places(self) -> Iterator[Read]:
        """Rows whose ids may look like places: those of a table."""
        inputs = self.job.inputs
        return iter(()) if inputs is None or self.of_documents else read_rows(inputs, self.job.output)

    def _gone(self, target: str, row: BadRow) -> Iterator[Step]:
        """Yield the requests of a row that has become invalid since it was checked, also of other shards.

        A row without an id is only an error. For a whole document there is one item, with its own id.
        """
        if not isinstance(row, BadDraft):
            yield row.diagnostic if row.id is None else gone(row.id, NO_TARGET, "", row.diagnostic)
        elif row.stem is None:
            yield row.diagnostic
        else:
            yield from self._factory.gone(row, row.stem, target)


def _notice(what: str, paths: Sequence[str]) -> str:
    others = f"; so it is with {len(paths) - 1} more files" if len(paths) > 1 else ""
    return f"{paths[0]} {what}{others}"
