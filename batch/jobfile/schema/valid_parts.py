"""Validate a job file against the schema, and keep what is valid of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from batch.jobfile.schema.explain import explain, written_path
from batch.jobfile.schema.job_spec import JobSpec, MessageSpec, PromptSpec
from batch.jobfile.schema.model_spec import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from batch.diagnostics import At, Findings
    from batch.jobfile.schema.types import Spec
    from batch.jobfile.syntax.tree import Tree

_CUTS = 4
"""How often invalid parts are removed: a part that then lacks a required key is removed next."""

_STAND_INS: dict[str, Spec] = {
    "prompts": PromptSpec.model_construct(),
    "models": ModelSpec.model_construct(model="?"),
    "messages": MessageSpec.model_construct(role="user", content=""),
}
"""What stands in lists for invalid items (``Tree.invalid``), so that the others keep their places."""


def validated(tree: Tree, findings: Findings) -> JobSpec:
    """Return the tree as a ``JobSpec``, without the invalid parts, whose errors are added to ``findings``.

    Removing only the invalid parts lets later checks report their errors in the same run.
    """
    value = {key: part for key, part in tree.value.items() if not key.startswith("x-")}
    for attempt in range(_CUTS):
        try:
            return JobSpec.model_validate(value)
        except ValidationError as error:
            errors = error.errors(include_url=False)
        if not attempt:
            explain(errors, value, findings)
        value = _without(value, [details["loc"] for details in errors], tree)
    return JobSpec()


def _without(value: dict[str, Any], errors: Iterable[At], tree: Tree) -> dict[str, Any]:
    """Return a copy without the innermost keys that contain errors; invalid items of lists are replaced."""
    cuts = set()
    for at in errors:
        written = written_path(value, at)
        while written and not (isinstance(written[-1], str) or _is_item(written)):
            written = written[:-1]
        if written:
            cuts.add(written)
            tree.invalid.update([written] if isinstance(written[-1], int) else [])
    result: dict[str, Any] = _cut(value, cuts, ())
    return result


def _is_item(at: At) -> bool:
    """Return whether a path is that of an item for which something can stand."""
    return len(at) > 1 and at[-2] in _STAND_INS and isinstance(at[-1], int)


def _cut(value: Any, cuts: AbstractSet[At], at: At) -> Any:
    if at and isinstance(at[-1], int) and at in cuts:
        return _STAND_INS[str(at[-2])]
    if isinstance(value, dict):
        return {key: _cut(part, cuts, (*at, key)) for key, part in value.items() if (*at, key) not in cuts}
    if isinstance(value, list):
        return [_cut(part, cuts, (*at, index)) for index, part in enumerate(value)]
    return value
