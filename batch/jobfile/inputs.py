"""The inputs of a job file: what is read, and whether its settings fit together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from batch.jobfile.job import InputKind, Inputs, Split
from batch.jobfile.paths import OutsideError, real
from batch.jobfile.patterns import pattern_complaint

if TYPE_CHECKING:
    from pathlib import Path

    from batch.jobfile.paths import Bounds
    from batch.jobfile.places import Findings
    from batch.jobfile.schema_inputs import InputsSpec
    from batch.jobfile.trees import Tree

_KINDS: tuple[InputKind, ...] = get_args(InputKind)
_TABLES = _KINDS[1:]
_NAMED = {"files": "a document's id is its path", "results": "a result has the id of its request"}


def inputs_of(spec: InputsSpec | None, tree: Tree, findings: Findings, bounds: Bounds) -> Inputs | None:
    """The job's inputs; what is wrong with them goes to ``findings``."""
    return None if spec is None else _Reader(spec, tree, findings, bounds).read()


def table_of(spec: InputsSpec | None) -> str | None:
    """The path of the file of rows, as it is written."""
    written = (getattr(spec, kind) for kind in _TABLES) if spec else ()
    return next((path for path in written if path is not None), None)


@dataclass(frozen=True, slots=True)
class _Reader:
    spec: InputsSpec
    tree: Tree
    findings: Findings
    bounds: Bounds

    def read(self) -> Inputs:
        spec = self.spec
        kind = self._kind()
        files = tuple(spec.files or ())
        for index, pattern in enumerate(files):
            if complaint := pattern_complaint(pattern, self.bounds):
                self.findings.at_value(("inputs", "files", index), *complaint)
        places = tuple(self.tree.places.value(("inputs", "files", index)) for index in range(len(files)))
        table = None if kind == "files" else self._table(kind)
        return Inputs(
            self.bounds.base,
            self.bounds.trees,
            files,
            kind,
            table,
            id_field=spec.id_field,
            on_bad_row=spec.on_bad_row,
            group_by=tuple(spec.group_by or ()),
            split=self._split(),
            places=places,
        )

    def _kind(self) -> InputKind:
        """What is read; the first of what is written, where that is more than one thing."""
        raw = self.tree.value["inputs"]
        written = [kind for kind in _KINDS if raw.get(kind) is not None]
        if not written:
            known = ", ".join(f"`{kind}`" for kind in _KINDS[:-1])
            hint = f"write {known} or `{_KINDS[-1]}`"
            self.findings.at_key(("inputs",), "nothing to read", hint)
            return "files"
        for kind in written[1:]:
            self.findings.at_key(("inputs", kind), f"stands beside `{written[0]}`", "keep one of them")
        self._check_settings(written[0])
        return written[0]

    def _check_settings(self, kind: InputKind) -> None:
        """What stands beside a kind of inputs that has no use for it."""
        if kind in _NAMED and self.spec.id_field is not None:
            self.findings.at_key(("inputs", "id_field"), f"is for rows; {_NAMED[kind]}")
        if kind != "results" and self.spec.group_by is not None:
            self.findings.at_key(("inputs", "group_by"), "is for `results`")
        if self.spec.group_by is not None and self.spec.split is not None:
            self.findings.at_key(("inputs", "split"), "stands beside `group_by`", "a group has no `text`")

    def _split(self) -> Split | None:
        spec = self.spec.split
        if spec is None:
            return None
        if spec.overlap >= spec.tokens:
            self.findings.at_value(("inputs", "split", "overlap"), "must be less than `tokens`")
        return Split(spec.tokens, spec.overlap)

    def _table(self, kind: InputKind) -> Path | None:
        written: str | None = getattr(self.spec, kind)
        at = ("inputs", kind)
        if written is None:  # reported for what is wrong with it
            return None
        if at in self.tree.trusted:
            return real(self.bounds.base / written)
        try:
            return self.bounds.resolve(written)
        except OutsideError as error:
            self.findings.at_value(at, str(error), "`--allow-path` allows another folder")
            return None
