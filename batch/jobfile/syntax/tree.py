"""Plain trees with the places of their values, from YAML, from a mapping in memory, and from flags.

YAML is read with the resolvers of YAML 1.2's core schema, with one exception: digits with a leading zero are
text. So ``no``, ``014``, ``1:30`` and dates keep their written form.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from batch.diagnostics import At, Findings, Place, Places, dotted, kind, shown
from batch.errors import Diagnostic, JobFileError
from batch.files import is_unicode
from batch.jobfile.syntax.yaml_guard import MAX_DEPTH, check_events, syntax_diagnostic

_MAX_DIGITS = 40
_MAX_VALUES = 2_000_000
"""Maximum number of values of a mapping in memory, counted at each occurrence: a few seconds' work."""
_PREFIX = "tag:yaml.org,2002:"


@dataclass(slots=True)
class Tree:
    """A mapping of plain values. ``trusted`` are the places of values that the caller passed as ``Path``."""

    value: dict[str, Any]
    places: Places
    trusted: set[At] = field(default_factory=set)

    def at(self, at: At) -> Any:
        """Return the value at the path. Raises ``LookupError`` if there is none."""
        value: Any = self.value
        for step in at:
            value = value[step]
        return value


class _CoreLoader(yaml.CBaseLoader):
    """Composes nodes with the tags of YAML 1.2's core schema."""


for _name, _pattern, _first in (
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    _CoreLoader.add_implicit_resolver(_PREFIX + _name, re.compile(rf"(?:{_pattern})\Z"), _first)


def from_yaml(text: str, path: str) -> Tree:
    """Return the tree of a YAML text. Raises ``JobFileError`` with all errors in the YAML itself."""
    check_events(text, path)
    try:
        node = yaml.compose(text, Loader=_CoreLoader)
    except yaml.YAMLError as error:
        raise JobFileError([syntax_diagnostic(error, path)]) from None
    if node is None:
        raise JobFileError([Diagnostic(path, 0, 0, "", "is empty", "`promptjobs init` creates one")])
    builder = _Builder(path)
    value = builder.build(node, ())
    builder.findings.raise_if_any()
    if not isinstance(value, dict):
        raise JobFileError([Diagnostic(path, 1, 1, "", f"expected keys and values, got {kind(value)}")])
    return Tree(value, builder.places)


class _Builder:
    """Converts nodes to plain values, and records their places."""

    def __init__(self, path: str) -> None:
        self.places = Places(Place(path, 1, 1))
        self.findings = Findings(self.places)

    def build(self, node: Any, at: At) -> Any:
        self.places.values[at] = self._place(node)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*at, index)) for index, child in enumerate(node.value)]
        return self._mapping(node, at)

    def _place(self, node: Any) -> Place:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        literal = isinstance(node, yaml.ScalarNode) and node.style == "|"
        return Place(self.places.root.path, line, column, line + 1 if literal else 0)

    def _scalar(self, node: Any, at: At) -> Any:
        try:
            return scalar(node.tag.removeprefix(_PREFIX), node.value)
        except ValueError as error:
            self.findings.at_value(at, str(error), "put it in quotes if it is meant as text")
            return None

    def _mapping(self, node: Any, at: At) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: list[Any] = []
        for key_node, value_node in node.value:
            if _is_merge(key_node):
                merged.append(value_node)
            elif (key := self._new_key(key_node, at, result)) is not None:
                self.places.keys[*at, key] = self._place(key_node)
                result[key] = self.build(value_node, (*at, key))
        for value_node in merged:
            self._merge(result, value_node, at)
        return result

    def _new_key(self, node: Any, at: At, known: dict[str, Any]) -> str | None:
        key = self._key(node)
        if key is None or key not in known:
            return key
        first = self.places.keys[*at, key].line
        self.findings.at_place(
            self._place(node), dotted((*at, key)), f"duplicate key; the first is on line {first}"
        )
        return None

    def _key(self, node: Any) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.tag == _PREFIX + "str":
            return str(node.value)
        braces = "put text that starts with `{{` in quotes, or on lines of its own after `|`"
        hint = braces if isinstance(node, yaml.MappingNode) else "put it in quotes"
        self.findings.at_place(self._place(node), "", "a key that is not text", hint)
        return None

    def _merge(self, result: dict[str, Any], node: Any, at: At) -> None:
        """Add the keys of ``<<``, as in YAML 1.1: existing keys take precedence."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                self.findings.at_place(self._place(source), "", "`<<` takes a mapping or a list of them")
                continue
            own = [pair for pair in source.value if _is_merge(pair[0]) or not _is_known(pair[0], result)]
            result.update(self._mapping(yaml.MappingNode(source.tag, own), at))


def _is_merge(key: Any) -> bool:
    return isinstance(key, yaml.ScalarNode) and key.value == "<<" and not key.style


def _is_known(key: Any, known: dict[str, Any]) -> bool:
    return isinstance(key, yaml.ScalarNode) and key.value in known


def scalar(tag: str, text: str) -> Any:
    """Return the value of a scalar. Raises ``ValueError`` for an invalid tag or number."""
    match tag:
        case "null":
            return None
        case "bool" if text.lower() in ("true", "false"):
            return text.lower() == "true"
        case "int" | "float" if len(text) <= _MAX_DIGITS:
            return _number(tag, text)
        case "str":
            return text
        case "int" | "float":
            raise ValueError("a number with too many digits")
    raise ValueError("the tag does not fit the value")


def _number(tag: str, text: str) -> int | float:
    try:
        number = int(text, 0) if tag == "int" else float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
    except ValueError:
        raise ValueError("the tag does not fit the value") from None
    if not math.isfinite(number):
        raise ValueError("a number that JSON cannot hold")
    return number


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
