"""The requests of a job: a lazy stream that can be read repeatedly, whole or for one target."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from batch.diagnostics import in_order
from batch.errors import Diagnostic, JobFileError
from batch.inputs.bad_rows import NO_TARGET, BadIds, Origin, PlaceIds, gone, place_of, refused
from batch.inputs.composed_ids import Composed
from batch.inputs.expand import Draft, drafts, reads_apart, row_ids, suffixes
from batch.inputs.identity import Ordinals, fingerprint
from batch.inputs.readers.all_rows import read_rows
from batch.inputs.readers.row import BadDraft, BadRow, Caution, Note
from batch.jobfile.job import DOCUMENTS
from batch.records import JSONObject, Request
from batch.wire.dialects.registry import dialect_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence

    from batch.inputs.readers.row import Read
    from batch.jobfile import JobFile, Model

_DEFAULT_NAME = "prompt"


class _Target(Struct, frozen=True):
    """One model with all that its requests share. ``key`` is equal for targets whose answers are equal."""

    id: str
    dialect: str
    model: str
    params: JSONObject
    identity: Mapping[str, str] | None

    @property
    def key(self) -> tuple[object, ...]:
        identity = None if self.identity is None else tuple(sorted(self.identity.items()))
        return self.dialect, self.model, identity


class JobSource:
    """The requests of one job, as ``protocols.Source``.

    ``identities`` maps targets on the embedded endpoint to what answers there; the fingerprint contains it.
    Of a job with a ``shard`` only the requests of that are yielded, and the errors of all rows.
    ``has_repeats``: requests that were read, also those of other shards, differ in nothing but their ordinal.
    """

    def __init__(self, job: JobFile, identities: Mapping[str, Mapping[str, str]]) -> None:
        self.job = job
        self._targets = [_target(model, identities) for model in job.models]
        only_id = job.prompts[0].id if len(job.prompts) == 1 else None
        self._default_name = only_id or _DEFAULT_NAME
        self._skips = job.inputs is not None and job.inputs.skips
        self._has_rows = job.inputs is not None or job.rows is not None
        self._is_grouped = job.inputs is not None and bool(job.inputs.group_by)
        self._composed = Composed(
            lambda: suffixes(job), job.samples, lambda: row_ids(job), is_plain=reads_apart(job)
        )
        self._places = PlaceIds()
        self._notes: dict[str, dict[str, None]] = {}
        self._warnings: dict[Diagnostic, None] = dict.fromkeys(job.warnings)
        self.has_repeats = False

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of all targets, in the job's order."""
        return tuple(target.id for target in self._targets)

    def prepare(self) -> None:
        """Read what ids depend on, so that later calls are fast."""
        self._composed.prepare()

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

        With ``on_bad_row: skip`` an invalid row is a request to ``NO_TARGET``. Raises ``JobFileError`` at the
        first invalid row, which ``check`` reports beforehand.
        """
        for item in self.trace(target):
            if isinstance(item, Diagnostic):
                raise JobFileError([item])
            yield item[0]

    def trace(
        self, target: str | None = None, *, samples: bool = True
    ) -> Iterator[tuple[Request, Origin] | Diagnostic]:
        """Yield the same with their origins, and errors for what is invalid.

        Without ``samples``, only the first sample of each draft.
        """
        samples_each = self.job.samples if samples else 1
        return (
            item for item in self._walk(target, None, samples_each, self._bad(target)) if item is not None
        )

    def walk(self, target: str) -> Iterator[tuple[Request, Origin] | Diagnostic | None]:
        """Yield as ``trace`` does, with ``None`` for each draft without a request for the target.

        An invalid row that is skipped is yielded for every target, not only for the first.
        """
        return self._walk(target, None, self.job.samples, self._bad(None))

    def cursor(
        self, target: str, marks: Container[int] | None = None
    ) -> Iterator[tuple[Request, Origin] | Diagnostic | None]:
        """Yield the requests of one target once more, after the job was checked.

        As ``walk``, but if rows were checked, one that has become invalid is a request that is not sent
        (``Origin.bad``), with its former ids. With ``marks``, only drafts with these numbers are examined,
        which is correct if no two requests have equal names without their ordinals (``Ordinals``).
        """
        return self._walk(target, marks, self.job.samples, partial(self._gone, target))

    def _walk(
        self,
        target: str | None,
        marks: Container[int] | None,
        samples: int,
        bad: Callable[[BadRow], Iterator[tuple[Request, Origin] | Diagnostic | None]],
    ) -> Iterator[tuple[Request, Origin] | Diagnostic | None]:
        ordinals = Ordinals() if marks is None else None
        indexes = self._target_indexes(target)
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
                    request = self._own_request(draft, self._targets[index], sample, ordinals)
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

    def _bad(
        self, target: str | None
    ) -> Callable[[BadRow], Iterator[tuple[Request, Origin] | Diagnostic | None]]:
        """Yield errors for invalid rows, or requests that are not sent, which belong to the first target."""
        ids, is_first = BadIds(self._composed, self._places), target in (None, self._targets[0].id)

        def of(row: BadRow) -> Iterator[tuple[Request, Origin] | Diagnostic | None]:
            if not self._skips:
                yield row.diagnostic
                return
            if not self._places.is_read:
                yield from self._places.read(self._rows_of_places())
            request, origin = self._refused(row, ids)
            is_own = self._takes(row.id if self._is_grouped and row.id else request.id)
            yield (request, origin) if is_first and is_own else None

        return of

    def _refused(self, row: BadRow, ids: BadIds) -> tuple[Request, Origin]:
        """Return an invalid row as a request that is not sent, which belongs to the first target."""
        place, is_own = place_of(row.diagnostic), len(self._targets) == 1 and self.job.samples == 1
        if isinstance(row, BadDraft):
            has_id = row.stem is not None
            name = self._name(row.stem, row, self._targets[0], 1) if is_own and row.stem else row.id or place
        else:
            has_id = row.id is not None
            name = row.id or place
            is_own = is_own and len(self.job.prompts) == 1 and len(self.job.matrix) <= 1
        return refused(row, ids.name(name, place=None if has_id else place, is_own=is_own))

    def _rows_of_places(self) -> Iterator[Read]:
        """Rows whose ids may look like places: those of a table."""
        inputs = self.job.inputs
        return iter(()) if inputs is None or self.of_documents else read_rows(inputs, self.job.output)

    def _gone(self, target: str, row: BadRow) -> Iterator[tuple[Request, Origin] | Diagnostic]:
        """Yield the requests of a row that has become invalid since it was checked, also of other shards.

        A row without an id is only an error. For a whole document there is one item, with its own id.
        """
        if not isinstance(row, BadDraft):
            yield row.diagnostic if row.id is None else gone(row.id, NO_TARGET, "", row.diagnostic)
        elif row.stem is None:
            yield row.diagnostic
        else:
            for to in (self._targets[index] for index in row.targets):
                for sample in range(1, self.job.samples + 1) if to.id == target else ():
                    name = self._name(row.stem, row, to, sample)
                    yield gone(name, to.id, to.model, row.diagnostic)

    def _target_indexes(self, target: str | None) -> set[int]:
        """Return the indexes of the targets to examine.

        Targets with the same key may share a fingerprint, which names requests without an id. So all of them
        are counted together.
        """
        if target is None:
            return set(range(len(self._targets)))
        keys = {each.key for each in self._targets if each.id == target}
        return {index for index, each in enumerate(self._targets) if each.key in keys}

    def _takes(self, key: str) -> bool:
        """Return whether the requests with this key belong to the job's shard, if it has one."""
        return self.job.shard is None or self.job.shard.takes(key)

    def _own_request(
        self, draft: Draft, target: _Target, sample: int, ordinals: Ordinals | None
    ) -> Request | None:
        """Return a request; ``None`` if it belongs to another shard. A group stays in one shard."""
        if self.job.shard is None:
            return self._request(draft, target, sample, ordinals)
        if draft.stem is not None:
            key = draft.stem[0] if self._is_grouped else self._name(draft.stem, draft, target, sample)
            return self._request(draft, target, sample, ordinals) if self._takes(key) else None
        request = self._request(draft, target, sample, ordinals)  # its id depends on all before it
        self.has_repeats = self.has_repeats or request.id != request.fingerprint
        return request if self._takes(request.id) else None

    def _request(self, draft: Draft, target: _Target, sample: int, ordinals: Ordinals | None) -> Request:
        params = {**target.params, **draft.params} if draft.params else target.params
        metadata = draft.metadata
        if self.job.samples > 1:
            params, metadata = _params_of(sample, params), {**metadata, "sample": sample}
        mark = fingerprint(target.dialect, target.model, draft.messages, params, sample, target.identity)
        if draft.stem is not None:
            name = self._name(draft.stem, draft, target, sample)
        else:
            name = mark if ordinals is None else ordinals.name(mark)
        return Request(name, mark, target.id, target.model, draft.messages, params, metadata)

    def _name(self, stem: tuple[str, ...], draft: Draft | BadDraft, target: _Target, sample: int) -> str:
        """Return the id: row, prompt, model, matrix, sample; parts with only one value are omitted."""
        if self._composed.is_unique:
            parts = [*stem]
            if len(draft.targets) > 1:
                parts.append(target.id)
            parts += draft.variant
            if self.job.samples > 1:
                parts.append(str(sample))
            return "/".join(parts) or self._default_name
        row, prompt = (stem[0], stem[1:]) if self._has_rows else ("", stem)
        model = (target.id,) if len(draft.targets) > 1 else ()
        return self._composed.name(row, (*prompt, *model, *draft.variant), sample) or self._default_name


def _params_of(sample: int, params: JSONObject) -> JSONObject:
    """Give the first sample the seed, and later ones the next: equal seeds mean equal answers."""
    seed = params.get("seed")
    return {**params, "seed": seed + sample - 1} if isinstance(seed, int) else params


def _notice(what: str, paths: Sequence[str]) -> str:
    others = f"; so it is with {len(paths) - 1} more files" if len(paths) > 1 else ""
    return f"{paths[0]} {what}{others}"


def _target(model: Model, identities: Mapping[str, Mapping[str, str]]) -> _Target:
    name = dialect_of(model.provider).canonical(model.model)
    return _Target(model.id, model.provider, name, model.params, identities.get(model.id))
