"""``matrix``: every combination of its values, with ``include`` and ``exclude`` as in GitHub Actions."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from itertools import product
from typing import TYPE_CHECKING, Any

from batch.diagnostics import did_you_mean, shown
from batch.jobfile.templates import names_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch.diagnostics import At, Findings
    from batch.jobfile.job import Prompt
    from batch.jobfile.schema.inputs_spec import MatrixSpec
    from batch.jobfile.syntax.tree import Tree
    from batch.records import JSONObject

MAX_COMBINATIONS = 10_000


def matrix_of(spec: MatrixSpec | None, tree: Tree, findings: Findings) -> tuple[JSONObject, ...]:
    """Return the variables of each combination; none without a matrix. Errors go to ``findings``."""
    if spec is None:
        return ()
    axes: dict[str, list[Any]] = dict(spec.__pydantic_extra__ or {})
    for name in tree.value["matrix"].keys() - axes.keys() - {"include", "exclude"}:
        axes[name] = ["…"]  # its values are reported as invalid; prompts may use the name
    _check_names(axes, spec.include, findings)
    _check_values(axes, findings)
    _check_excluded(axes, spec.exclude, findings)
    count = math.prod(map(len, axes.values())) if axes else 0
    if count + len(spec.include) > MAX_COMBINATIONS:
        hint = "put that many combinations into a file of rows"
        findings.at_key(("matrix",), f"more than {MAX_COMBINATIONS} combinations", hint)
        return ()
    result = combinations(axes, spec.include, spec.exclude)
    if not result:
        findings.at_key(("matrix",), "leaves no combination", "write `name: [values]`, or exclude less")
    return result


def warn_of_unused(
    matrix: Sequence[JSONObject], prompts: Sequence[Prompt], tree: Tree, findings: Findings
) -> None:
    """Warn of variables that no prompt uses, so that their values repeat the same request."""
    texts = [text for prompt in prompts for text, _, _ in prompt.texts()]
    used = frozenset[str]().union(*(names_in(text)[0] for text in texts))
    for name in dict.fromkeys(name for each in matrix for name in each):
        in_braces = any(f"{{{name}}}" in text.replace(" ", "") for text in texts)
        if texts and name not in used and not in_braces and isinstance(tree.value["matrix"].get(name), list):
            what = f"no prompt uses `{shown(name)}`, so its values repeat the same request"
            findings.warn_at_key(("matrix", name), what)


def combinations(
    axes: Mapping[str, Sequence[Any]], include: Sequence[JSONObject], exclude: Sequence[JSONObject]
) -> tuple[JSONObject, ...]:
    """Return the combinations of the axes' values, without those that an entry of ``exclude`` matches.

    An entry of ``include`` adds its further keys to all combinations whose own values it does not contradict.
    If there is none, it becomes a combination itself, which later entries do not change.
    """
    originals = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())] if axes else []
    index = _Index(originals)
    excluded = set().union(*map(index.fitting, exclude))
    extended = {at: dict(each) for at, each in enumerate(originals) if at not in excluded}
    added: list[JSONObject] = []
    for entry in include:
        own = {key: value for key, value in entry.items() if key in axes}
        found = index.fitting(own) & extended.keys()
        for at in found:
            extended[at].update(entry)
        if not found:
            added.append(dict(entry))
    return (*extended.values(), *added)


class _Index:
    """Finds combinations by their values, compared as JSON: ``true`` is not ``1``."""

    def __init__(self, combinations: Sequence[JSONObject]) -> None:
        self._all = set(range(len(combinations)))
        self._places: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        for at, each in enumerate(combinations):
            for key, value in each.items():
                self._places[key, _written(value)].add(at)

    def fitting(self, entry: JSONObject) -> set[int]:
        """Return the positions of the combinations that have all of the entry's values."""
        found = [self._places.get((key, _written(value)), set()) for key, value in entry.items()]
        return set.intersection(*sorted(found, key=len)) if found else self._all


def _written(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _check_names(axes: Mapping[str, object], include: Sequence[JSONObject], findings: Findings) -> None:
    places: list[At] = [("matrix", name) for name in axes]
    places += [("matrix", "include", index, name) for index, entry in enumerate(include) for name in entry]
    for at in places:
        if not str(at[-1]).isidentifier():
            findings.at_key(at, "not a name that a prompt can use", "letters, digits and `_`")


def _check_values(axes: Mapping[str, Sequence[Any]], findings: Findings) -> None:
    for name, values in axes.items():
        first: dict[str, int] = {}
        for index, value in enumerate(values):
            before = first.setdefault(_written(value), index)
            if before != index:
                what = f"is the same as matrix.{shown(name)}[{before}]"
                findings.at_value(("matrix", name, index), what, "`samples` asks the same several times")


def _check_excluded(axes: Mapping[str, object], exclude: Sequence[JSONObject], findings: Findings) -> None:
    for index, entry in enumerate(exclude):
        for name in entry.keys() - axes.keys():
            findings.at_key(
                ("matrix", "exclude", index, name), "not one of the matrix", did_you_mean(name, axes)
            )
