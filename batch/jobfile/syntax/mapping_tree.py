"""Trees from a mapping in memory, and values that flags set."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from batch.diagnostics import At, Findings, Place, Places, shown
from batch.errors import Diagnostic, JobFileError
from batch.files import is_unicode
from batch.jobfile.syntax.tree import Tree
from batch.jobfile.syntax.yaml_guard import MAX_DEPTH

_MAX_VALUES = 2_000_000
"""Maximum number of values of a mapping in memory, counted at each occurrence: a few seconds' work."""


def from_mapping(job: Mapping[str, object], label: str) -> Tree:
    """Return the tree of a mapping in memory. Raises ``JobFileError`` for values that YAML cannot hold."""
    if _is_endless(job):
        hint = "put rows into a JSONL file"
        raise JobFileError([Diagnostic(label, 0, 0, "", f"more than {_MAX_VALUES} values", hint)])
    tree = Tree({}, Places(Place(label)))
    findings = Findings(tree.places)
    value = _plain(job, (), tree, findings)
    findings.raise_if_any()
    tree.value.update(value)
    return tree


def _is_endless(job: Mapping[str, object]) -> bool:
    """Return whether a mapping has too many values: nested references grow exponentially."""
    count = 0
    levels: list[Iterator[object]] = [iter(job.values())]
    while levels:
        for part in levels[-1]:
            count += 1
            if count > _MAX_VALUES:
                return True
            if isinstance(part, Mapping | Sequence) and not isinstance(part, str | bytes | bytearray):
                levels.append(iter(part.values() if isinstance(part, Mapping) else part))
                break
        else:
            levels.pop()
        if len(levels) > MAX_DEPTH:  # the error is reported with its place
            levels.pop()
    return False


def put(tree: Tree, key: str, value: object, findings: Findings, flag: str | None = None) -> None:
    """Set a dotted key, as ``flag`` does; later errors in it name the flag."""
    at = tuple(key.split("."))
    place = Place(flag or f"--set {shown(key)}")
    holder = tree.value
    for length, step in enumerate(at[:-1], 1):
        if holder.get(step) is None:
            holder[step] = {}
            tree.places.keys[at[:length]] = tree.places.values[at[:length]] = place
        holder = holder[step]
        if not isinstance(holder, dict):
            findings.at_place(place, "", f"`{shown(step)}` has no keys of its own in this job")
            return
    _forget(tree, at)
    tree.places.keys[at] = tree.places.values[at] = place
    holder[at[-1]] = _plain(value, at, tree, findings)


def drop(tree: Tree, key: str) -> None:
    """Remove a key that a flag replaces."""
    tree.value.pop(key, None)


def _forget(tree: Tree, at: At) -> None:
    for places in (tree.places.values, tree.places.keys):
        for known in [known for known in places if known[: len(at)] == at]:
            del places[known]


def _plain(value: object, at: At, tree: Tree, findings: Findings) -> Any:
    if len(at) > MAX_DEPTH:
        findings.at_value(at[:1], f"nested more than {MAX_DEPTH} levels deep")
    elif value is None or isinstance(value, bool | int) or _is_finite(value):
        return value
    elif isinstance(value, str):
        if is_unicode(value):
            return value
        findings.at_value(at, "text with an unpaired surrogate")
    elif isinstance(value, Path):
        tree.trusted.add(at)
        return str(value)
    elif isinstance(value, Mapping):
        return {k: _plain(v, (*at, k), tree, findings) for k, v in _text_keys(value, at, findings).items()}
    elif isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_plain(item, (*at, index), tree, findings) for index, item in enumerate(value)]
    elif isinstance(value, float):
        findings.at_value(at, "not a finite number")
    else:
        findings.at_value(at, f"{type(value).__name__} is not allowed in a job")
    return None


def _is_finite(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _text_keys(value: Mapping[Any, object], at: At, findings: Findings) -> dict[str, object]:
    if all(isinstance(key, str) and is_unicode(key) for key in value):
        return dict(value)
    findings.at_value(at, "a key that is not text")
    return {}
