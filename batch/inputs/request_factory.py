"""Make the requests of drafts: their parameters, their fingerprints and their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from batch.inputs.bad_rows import gone, place_of, refused
from batch.inputs.composed_ids import Composed
from batch.inputs.expand import reads_apart, row_ids, suffixes
from batch.inputs.identity import fingerprint
from batch.inputs.readers.row import BadDraft
from batch.records import JSONObject, Request
from batch.wire.dialects.registry import dialect_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batch.inputs.bad_rows import BadIds, Origin
    from batch.inputs.expand import Draft
    from batch.inputs.identity import Ordinals
    from batch.inputs.readers.row import BadRow
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


class RequestFactory:
    """Makes the requests of one job from its drafts and its invalid rows. ``composed`` makes their ids.

    ``identities`` maps targets on the embedded endpoint to what answers there; the fingerprint contains it.
    Of a job with a ``shard`` only the requests of that are made. ``has_repeats``: requests that were made,
    also those of other shards, differ in nothing but their ordinal.
    """

    def __init__(self, job: JobFile, identities: Mapping[str, Mapping[str, str]]) -> None:
        self._job = job
        self._targets = [_target(model, identities) for model in job.models]
        only_id = job.prompts[0].id if len(job.prompts) == 1 else None
        self._default_name = only_id or _DEFAULT_NAME
        self._has_rows = job.inputs is not None or job.rows is not None
        self._is_grouped = job.inputs is not None and bool(job.inputs.group_by)
        self.composed = Composed(
            lambda: suffixes(job), job.samples, lambda: row_ids(job), is_plain=reads_apart(job)
        )
        self.has_repeats = False

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of all targets, in the job's order."""
        return tuple(target.id for target in self._targets)

    def indexes(self, target: str | None) -> set[int]:
        """Return the indexes of the targets whose requests must be made to find those of one target.

        Targets with the same key may share a fingerprint, which names requests without an id. So all of them
        are counted together.
        """
        if target is None:
            return set(range(len(self._targets)))
        keys = {each.key for each in self._targets if each.id == target}
        return {index for index, each in enumerate(self._targets) if each.key in keys}

    def request(self, draft: Draft, index: int, sample: int, ordinals: Ordinals | None) -> Request | None:
        """Return the request of a draft to the target with this index.

        ``None`` if it belongs to another shard. A group stays in one shard. ``ordinals`` count equal requests
        without an id.
        """
        target = self._targets[index]
        if self._job.shard is None:
            return self._request(draft, target, sample, ordinals)
        if draft.stem is not None:
            key = draft.stem[0] if self._is_grouped else self._name(draft.stem, draft, target, sample)
            return self._request(draft, target, sample, ordinals) if self._takes(key) else None
        request = self._request(draft, target, sample, ordinals)  # its id depends on all before it
        self.has_repeats = self.has_repeats or request.id != request.fingerprint
        return request if self._takes(request.id) else None

    def refused(self, row: BadRow, ids: BadIds) -> tuple[Request, Origin] | None:
        """Return an invalid row as a request that is not sent; ``None`` if it belongs to another shard."""
        place, is_own = place_of(row.diagnostic), len(self._targets) == 1 and self._job.samples == 1
        if isinstance(row, BadDraft):
            has_id = row.stem is not None
            name = self._name(row.stem, row, self._targets[0], 1) if is_own and row.stem else row.id or place
        else:
            has_id = row.id is not None
            name = row.id or place
            is_own = is_own and len(self._job.prompts) == 1 and len(self._job.matrix) <= 1
        made = refused(row, ids.name(name, place=None if has_id else place, is_own=is_own))
        return made if self._takes(row.id if self._is_grouped and row.id else made[0].id) else None

    def gone(self, row: BadDraft, stem: tuple[str, ...], target: str) -> Iterator[tuple[Request, Origin]]:
        """Yield the requests of a draft that has become invalid since it was checked, with their former ids.

        They include those of other shards.
        """
        for to in (self._targets[index] for index in row.targets):
            for sample in range(1, self._job.samples + 1) if to.id == target else ():
                yield gone(self._name(stem, row, to, sample), to.id, to.model, row.diagnostic)

    def _takes(self, key: str) -> bool:
        """Return whether the requests with this key belong to the job's shard, if it has one."""
        return self._job.shard is None or self._job.shard.takes(key)

    def _request(self, draft: Draft, target: _Target, sample: int, ordinals: Ordinals | None) -> Request:
        params = {**target.params, **draft.params} if draft.params else target.params
        metadata = draft.metadata
        if self._job.samples > 1:
            params, metadata = _params_of(sample, params), {**metadata, "sample": sample}
        mark = fingerprint(target.dialect, target.model, draft.messages, params, sample, target.identity)
        if draft.stem is not None:
            name = self._name(draft.stem, draft, target, sample)
        else:
            name = mark if ordinals is None else ordinals.name(mark)
        return Request(name, mark, target.id, target.model, draft.messages, params, metadata)

    def _name(self, stem: tuple[str, ...], draft: Draft | BadDraft, target: _Target, sample: int) -> str:
        """Return the id: row, prompt, model, matrix, sample; parts with only one value are omitted."""
        if self.composed.is_unique:
            parts = [*stem]
            if len(draft.targets) > 1:
                parts.append(target.id)
            parts += draft.variant
            if self._job.samples > 1:
                parts.append(str(sample))
            return "/".join(parts) or self._default_name
        row, prompt = (stem[0], stem[1:]) if self._has_rows else ("", stem)
        model = (target.id,) if len(draft.targets) > 1 else ()
        return self.composed.name(row, (*prompt, *model, *draft.variant), sample) or self._default_name


def _params_of(sample: int, params: JSONObject) -> JSONObject:
    """Give the first sample the seed, and later ones the next: equal seeds mean equal answers."""
    seed = params.get("seed")
    return {**params, "seed": seed + sample - 1} if isinstance(seed, int) else params


def _target(model: Model, identities: Mapping[str, Mapping[str, str]]) -> _Target:
    name = dialect_of(model.provider).canonical(model.model)
    return _Target(model.id, model.provider, name, model.params, identities.get(model.id))
