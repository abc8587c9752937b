"""The requests of a job: a lazy stream that can be read as often as needed, whole or for one target."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from batch.errors import JobFileError, Mistake
from batch.inputs.bad_rows import NOBODY, BadIds, Origin, PlaceIds, gone, place_of, refused
from batch.inputs.composed_ids import Composed
from batch.inputs.expand import Draft, drafts, reads_apart, row_ids, suffixes
from batch.inputs.identity import Ordinals, fingerprint
from batch.inputs.readers.all_rows import read_rows
from batch.inputs.readers.row import BadDraft, BadRow, Note
from batch.jobfile.job import DOCUMENTS
from batch.records import JSONObject, Request
from batch.wire.dialects.registry import dialect_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence

    from batch.inputs.readers.row import Read
    from batch.jobfile import JobFile, Model

_LONE = "prompt"


class _Target(Struct, frozen=True):
    """One model with all that its requests share. ``twin`` is equal for targets that answer alike."""

    id: str
    dialect: str
    model: str
    params: JSONObject
    identity: Mapping[str, str] | None

    @property
    def twin(self) -> tuple[object, ...]:
        identity = None if self.identity is None else tuple(sorted(self.identity.items()))
        return self.dialect, self.model, identity


class JobSource:
    """The requests of one job, as ``protocols.Source``.

    ``identities`` says for a target on the embedded endpoint what answers there; it enters the fingerprint.
    """

    def __init__(self, job: JobFile, identities: Mapping[str, Mapping[str, str]]) -> None:
        self.job = job
        self._targets = [_target(model, identities) for model in job.models]
        lone = job.prompts[0].id if len(job.prompts) == 1 else None
        self._lone = lone or _LONE
        self._skips = job.inputs is not None and job.inputs.skips
        self._has_rows = job.inputs is not None or job.rows is not None
        self._composed = Composed(
            lambda: suffixes(job), job.samples, lambda: row_ids(job), is_plain=reads_apart(job)
        )
        self._places = PlaceIds()
        self._notes: dict[str, dict[str, None]] = {}

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of all targets, in the job's order."""
        return tuple(target.id for target in self._targets)

    def prepare(self) -> None:
        """Read what the ids need to be known of the rows, so that no later call takes long for it."""
        self._composed.prepare()

    @property
    def of_documents(self) -> bool:
        """Whether each row is a document, with its path as its id."""
        return self.job.inputs is not None and self.job.inputs.kind == DOCUMENTS

    @property
    def notices(self) -> list[str]:
        """What a person should know of the files that have been read so far, though nothing is wrong."""
        return [_notice(what, list(paths)) for what, paths in self._notes.items()]

    def requests(self, target: str | None = None) -> Iterator[Request]:
        """All requests in the job's order, by row, prompt and model; or only those of one target.

        With ``on_bad_row: skip`` a bad row is a request to ``NOBODY``. Raises ``JobFileError`` at the first
        row that is wrong, which ``check`` tells beforehand.
        """
        for item in self.trace(target):
            if isinstance(item, Mistake):
                raise JobFileError([item])
            yield item[0]

    def trace(
        self, target: str | None = None, *, samples: bool = True
    ) -> Iterator[tuple[Request, Origin] | Mistake]:
        """The same with where each came from, and with mistakes in place of what is wrong.

        Without ``samples`` only the first of each question's samples.
        """
        samples_each = self.job.samples if samples else 1
        return (
            item for item in self._walk(target, None, samples_each, self._bad(target)) if item is not None
        )

    def walk(self, target: str) -> Iterator[tuple[Request, Origin] | Mistake | None]:
        """As ``trace``, with ``None`` for each draft that brings the target nothing.

        A bad row that is skipped comes at every target, and not at the first alone.
        """
        return self._walk(target, None, self.job.samples, self._bad(None))

    def cursor(
        self, target: str, marks: Container[int] | None = None
    ) -> Iterator[tuple[Request, Origin] | Mistake | None]:
        """The requests of one target once more, after the job was checked.

        As ``walk``, but where rows were checked, one that has gone bad meanwhile is a request that is not
        sent (``Origin.bad``), with the ids that it had. With ``marks`` only drafts with these numbers are
        looked at, which is right where no two requests have equal names without their ordinals
        (``Ordinals``).
        """
        return self._walk(target, marks, self.job.samples, partial(self._gone, target))

    def _walk(
        self,
        target: str | None,
        marks: Container[int] | None,
        samples: int,
        bad: Callable[[BadRow], Iterator[tuple[Request, Origin] | Mistake | None]],
    ) -> Iterator[tuple[Request, Origin] | Mistake | None]:
        ordinals = Ordinals() if marks is None else None
        wanted = self._wanted(target)
        for draft in drafts(self.job, marks):
            if not isinstance(draft, Draft):
                if isinstance(draft, Note):
                    self._notes.setdefault(draft.what, {})[draft.path] = None
                elif isinstance(draft, BadRow):
                    yield from bad(draft)
                else:
                    yield draft
                continue
            found = False
            for index in draft.targets:
                if index not in wanted:
                    continue
                for sample in range(1, samples + 1):
                    request = self._request(draft, self._targets[index], sample, ordinals)
                    if target is None or request.target == target:
                        found = True
                        yield request, Origin(draft.path, draft.line, draft.number)
            if not found:
                yield None

    def _bad(
        self, target: str | None
    ) -> Callable[[BadRow], Iterator[tuple[Request, Origin] | Mistake | None]]:
        """What becomes of bad rows: errors, or requests that are not sent, which go with the first target."""
        ids, is_first = BadIds(self._composed, self._places), target in (None, self._targets[0].id)

        def of(row: BadRow) -> Iterator[tuple[Request, Origin] | Mistake | None]:
            if not self._skips:
                yield row.mistake
                return
            if not self._places.is_read:
                yield from self._places.read(self._rows_of_places())
            yield self._refused(row, ids) if is_first else None

        return of

    def _refused(self, row: BadRow, ids: BadIds) -> tuple[Request, Origin]:
        """A bad row as a request that is not sent, which goes with the first target."""
        place, is_own = place_of(row.mistake), len(self._targets) == 1 and self.job.samples == 1
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

    def _gone(self, target: str, row: BadRow) -> Iterator[tuple[Request, Origin] | Mistake]:
        """The requests that a row was, which has gone bad since it was checked.

        Without an id it is an error and no more. Of a whole document there is one item, with its own id.
        """
        if not isinstance(row, BadDraft):
            yield row.mistake if row.id is None else gone(row.id, NOBODY, "", row.mistake)
        elif row.stem is None:
            yield row.mistake
        else:
            for to in (self._targets[index] for index in row.targets):
                for sample in range(1, self.job.samples + 1) if to.id == target else ():
                    name = self._name(row.stem, row, to, sample)
                    yield gone(name, to.id, to.model, row.mistake)

    def _wanted(self, target: str | None) -> set[int]:
        """The targets to look at. Twins may share a fingerprint, which names requests without an id: so the
        twins of a target are counted along with it."""
        if target is None:
            return set(range(len(self._targets)))
        twins = {each.twin for each in self._targets if each.id == target}
        return {index for index, each in enumerate(self._targets) if each.twin in twins}

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
        """The id: row, prompt, model, matrix, sample; what there is only one of is left out."""
        if self._composed.is_unique:
            parts = [*stem]
            if len(draft.targets) > 1:
                parts.append(target.id)
            parts += draft.variant
            if self.job.samples > 1:
                parts.append(str(sample))
            return "/".join(parts) or self._lone
        row, prompt = (stem[0], stem[1:]) if self._has_rows else ("", stem)
        model = (target.id,) if len(draft.targets) > 1 else ()
        return self._composed.name(row, (*prompt, *model, *draft.variant), sample) or self._lone


def _params_of(sample: int, params: JSONObject) -> JSONObject:
    """A seed belongs to the first sample, and the next ones to those after it: equal seeds, equal answers."""
    seed = params.get("seed")
    return {**params, "seed": seed + sample - 1} if isinstance(seed, int) else params


def _notice(what: str, paths: Sequence[str]) -> str:
    others = f"; so it is with {len(paths) - 1} more files" if len(paths) > 1 else ""
    return f"{paths[0]} {what}{others}"


def _target(model: Model, identities: Mapping[str, Mapping[str, str]]) -> _Target:
    name = dialect_of(model.provider).canonical(model.model)
    return _Target(model.id, model.provider, name, model.params, identities.get(model.id))
