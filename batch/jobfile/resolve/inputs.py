"""Resolve the inputs of a job file, and check that their settings are compatible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from batch.jobfile.job import DOCUMENTS, Inputs, Split
from batch.jobfile.paths import OutsideError, real
from batch.jobfile.patterns import is_one_file, pattern_problem
from batch.jobfile.schema.inputs_spec import ROW_KEYS

if TYPE_CHECKING:
    from pathlib import Path

    from batch.diagnostics import Findings
    from batch.jobfile.paths import Bounds
    from batch.jobfile.schema.inputs_spec import InputsSpec
    from batch.jobfile.syntax.tree import Tree

_KINDS = (DOCUMENTS, *ROW_KEYS)
_NAMED = {DOCUMENTS: "a document's id is its path", "results": "a result has the id of its request"}


def inputs_of(spec: InputsSpec | None, tree: Tree, findings: Findings, bounds: Bounds) -> Inputs | None:
    """Return the job's inputs; errors go to ``findings``."""
    return None if spec is None else _Reader(spec, tree, findings, bounds).read()


def table_of(spec: InputsSpec | None) -> str | None:
    """Return the path of the file of rows, as written; ``None`` if it is not a single file."""
    written = (getattr(spec, kind) for kind in ROW_KEYS) if spec else ()
    found = next((paths for paths in written if paths is not None), None)
    if isinstance(found, list):
        return found[0] if len(found) == 1 else None
    return found


class _Reader(Struct, frozen=True):
    spec: InputsSpec
    tree: Tree
    findings: Findings
    bounds: Bounds

    def read(self) -> Inputs:
        spec = self.spec
        kind = self._kind()
        table = None if kind == DOCUMENTS else self._table(kind)
        patterns: tuple[str, ...] = ()
        if table is None and kind != "results":
            patterns = tuple(getattr(spec, kind) or ())
            self._check_patterns(kind, patterns)
        places = tuple(self.tree.places.value(("inputs", kind, index)) for index in range(len(patterns)))
        return Inputs(
            self.bounds.base,
            self.bounds.trees,
            patterns if kind == DOCUMENTS else (),
            kind,
            table,
            id_field=spec.id_field,
            on_bad_row=spec.on_bad_row,
            group_by=tuple(spec.group_by or ()),
            split=self._split(),
            places=places,
            tables=patterns if kind != DOCUMENTS else (),
            keep=tuple(spec.keep or ()),
            keep_place=self.tree.places.value(("inputs", "keep")),
            id_place=self.tree.places.value(("inputs", "id_field")),
            table_place=self.tree.places.value(("inputs", kind)),
            on_empty=spec.on_empty,
            follow_symlinks=spec.follow_symlinks,
        )

    def _kind(self) -> str:
        """Return the kind of inputs; the first one if there are several."""
        raw = self.tree.value["inputs"]
        written = [kind for kind in _KINDS if raw.get(kind) is not None]
        if not written:
            known = ", ".join(f"`{kind}`" for kind in _KINDS[:-1])
            hint = f"write {known} or `{_KINDS[-1]}`"
            self.findings.at_key(("inputs",), "nothing to read", hint)
            return DOCUMENTS
        for kind in written[1:]:
            self.findings.at_key(
                ("inputs", kind), f"cannot be combined with `{written[0]}`", "keep one of them"
            )
        self._check_settings(written[0])
        return written[0]

    def _check_settings(self, kind: str) -> None:
        """Report the settings that do not apply to the kind of inputs."""
        if kind in _NAMED and self.spec.id_field is not None:
            self.findings.at_key(("inputs", "id_field"), f"is for rows; {_NAMED[kind]}")
        if kind != "results" and self.spec.group_by is not None:
            self.findings.at_key(("inputs", "group_by"), "is for `results`")
        if self.spec.group_by is not None and self.spec.split is not None:
            self.findings.at_key(
                ("inputs", "split"), "cannot be combined with `group_by`", "a group has no `text`"
            )

    def _split(self) -> Split | None:
        spec = self.spec.split
        if spec is None:
            return None
        if spec.overlap >= spec.tokens:
            self.findings.at_value(("inputs", "split", "overlap"), "must be less than `tokens`")
        return Split(spec.tokens, spec.overlap)

    def _check_patterns(self, kind: str, patterns: tuple[str, ...]) -> None:
        for index, pattern in enumerate(patterns):
            if problem := pattern_problem(pattern, self.bounds):
                self.findings.at_value(("inputs", kind, index), *problem)
        if patterns and all(pattern.startswith("!") for pattern in patterns):
            self.findings.at_value(("inputs", kind), "nothing to read", "write a pattern without `!`, too")

    def _table(self, kind: str) -> Path | None:
        """Return the only file of rows; ``None`` for a folder, a pattern or several files."""
        written: str | list[str] | None = getattr(self.spec, kind)
        at = ("inputs", kind)
        if isinstance(written, list):
            if len(written) > 1 or not is_one_file(self.bounds.base, written[0]):
                return None
            written = written[0]
        if written is None:  # reported as invalid before
            return None
        if at in self.tree.trusted:
            return real(self.bounds.base / written)
        try:
            return self.bounds.resolve(written)
        except OutsideError as error:
            self.findings.at_value(at, str(error), "`--allow-path` allows another folder")
            return self.bounds.base / "outside"
