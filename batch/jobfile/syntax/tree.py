"""Plain trees with the places of their values, and their reading from YAML.

YAML is read with the resolvers of YAML 1.2's core schema, with one exception: digits with a leading zero are
text. So ``no``, ``014``, ``1:30`` and dates keep their written form.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from batch.diagnostics import At, Findings, Place, Places, kind
from batch.errors import Diagnostic, JobFileError
from batch.jobfile.syntax.yaml_guard import CORE_TAGS, check_events
from batch.jobfile.syntax.yaml_problem import write
from batch.jobfile.syntax.yaml_quotes import needs_quotes
from batch.jobfile.template_places import TYPOGRAPHIC, is_template
from batch.line_breaks import lines_of

_MAX_DIGITS = 40
_KEY_WITH_VALUE = re.compile(r"([a-z_]{2,40})(?: |:|=| = )([^\s:=]+)\Z")
_PREFIX = "tag:yaml.org,2002:"


@dataclass(slots=True)
class Tree:
    """A mapping of plain values.

    ``trusted`` are the places of values that the caller passed as ``Path``. ``diagnostics`` and ``warnings``
    are about the syntax, apart from which it was read; ``paths`` are those of the errors.
    ``invalid`` are the reported items of lists.
    """

    value: dict[str, Any]
    places: Places
    trusted: set[At] = field(default_factory=set)
    diagnostics: tuple[Diagnostic, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    paths: frozenset[At] = frozenset()
    invalid: set[At] = field(default_factory=set)

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
    tree = read_yaml(text, path)
    if tree.diagnostics:
        raise JobFileError(tree.diagnostics)
    return tree


def read_yaml(text: str, path: str) -> Tree:
    """Return the tree of a YAML text with its errors, apart from which it is read.

    Raises ``JobFileError`` if it cannot be read at all.
    """
    repaired, diagnostics = check_events(text, path)
    node = yaml.compose(repaired, Loader=_CoreLoader)
    if node is None:
        raise JobFileError([Diagnostic(path, 0, 0, "", "is empty", "`promptjobs init` creates one")])
    builder = _Builder(path, repaired, text)
    value = builder.build(node, ())
    builder.findings.extend(diagnostics)
    if not isinstance(value, dict):
        is_list = isinstance(node, yaml.SequenceNode) and not node.flow_style
        hint = "leave out the `- `" if is_list else "write `key: value` on each line"
        what = f"expected keys and values, got {kind(value)}"
        builder.findings.at_value((), what, hint)
        builder.findings.raise_if_any()
    found = builder.findings
    every = found.error().diagnostics if found else ()
    paths = frozenset(found.paths)
    return Tree(value, builder.places, diagnostics=every, warnings=tuple(found.warnings), paths=paths)


class _Builder:
    """Converts nodes to plain values, and records their places."""

    def __init__(self, path: str, text: str, written: str) -> None:
        """``text`` is read; it differs from what is ``written`` where an error was repaired."""
        self._text = text
        self._lines = lines_of(text)
        self._written = self._lines if text == written else lines_of(written)
        self.places = Places(Place(path, 1, 1))
        self.findings = Findings(self.places)

    def build(self, node: Any, at: At) -> Any:
        self.places.values[at] = self._place(node)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, at)
        if (text := self._bare_template(node, at)) is not None:
            return text
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*at, index)) for index, child in enumerate(node.value)]
        return self._mapping(node, at)

    def _place(self, node: Any) -> Place:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        raw = ""
        if isinstance(node, yaml.ScalarNode) and is_template(node.value):
            raw = self._text[node.start_mark.index : node.end_mark.index]
            if node.style in ("'", '"') and self._is_repaired(line):  # the quotes are not in the file
                raw = raw[1:]
        return Place(self.places.root.path, line, column, raw)

    def _is_repaired(self, line: int) -> bool:
        return self._lines[line - 1 : line] != self._written[line - 1 : line]

    def _bare_template(self, node: Any, at: At) -> str | None:
        """Return ``{{ text }}`` without quotes, and report it: to YAML it is a mapping in a mapping."""
        if not isinstance(node, yaml.MappingNode):
            return None
        raw = self._text[node.start_mark.index : node.end_mark.index]
        if not (raw.startswith("{{") and raw.endswith("}}")):
            return None
        error = needs_quotes(self._lines, node.start_mark.line, node.start_mark.column, raw)
        self.findings.at_place(self._place(node), "", error.what, error.hint)
        self.places.values[at] = replace(self._place(node), raw=raw)
        return raw

    def _scalar(self, node: Any, at: At) -> Any:
        if node.tag not in CORE_TAGS:  # reported before
            return node.value
        if node.value[:1] in TYPOGRAPHIC and node.value[-1:] in TYPOGRAPHIC and len(node.value) > 1:
            what = f"the quotes `{node.value[0]}` and `{node.value[-1]}` are a part of the text"
            self.findings.warn_at_value(at, what, 'write `"`')
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
            elif self._is_key_with_value(key_node, value_node):
                continue
            elif (key := self._new_key(key_node, at, result)) is not None:
                self.places.keys[*at, key] = self._place(key_node)
                result[key] = self.build(value_node, (*at, key))
        for value_node in merged:
            self._merge(result, value_node, at)
        return result

    def _is_key_with_value(self, key: Any, value: Any) -> bool:
        """Report ``{temperature:0.7}`` and ``{temperature 0.7}``, which to YAML are keys without a value."""
        is_empty = isinstance(value, yaml.ScalarNode) and not value.value and not value.style
        match = _KEY_WITH_VALUE.match(key.value) if is_empty and isinstance(key, yaml.ScalarNode) else None
        if match is None or key.style:
            return False
        hint = write(f"{match[1]}: {match[2]}")
        self.findings.at_place(self._place(key), "", "no `: ` between a key and its value", hint)
        return True

    def _new_key(self, node: Any, at: At, known: dict[str, Any]) -> str | None:
        key = self._key(node)
        if key is None or key not in known:
            return key
        first = self.places.keys[*at, key].line
        self.findings.at_path((*at, key), self._place(node), f"duplicate key; the first is on line {first}")
        return None

    def _key(self, node: Any) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.tag == _PREFIX + "str":
            return str(node.value)
        self.findings.at_place(self._place(node), "", "a key that is not text", "put it in quotes")
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
