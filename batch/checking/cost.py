"""Cost estimate of checks: which are cheap enough for this process.

Without ``$ref``, each part of a schema is applied to each value of an answer at most once; so the number of
parts times the number of values bounds the work. An acyclic ``$ref`` counts as its target. Regular
expressions, ``uniqueItems`` (quadratic), ``unevaluated*`` (repeats other checks) and recursive references
have no such bound.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from batch.structured_output import target_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from batch.structured_output import Demand

MAX_TEXT = 64 * 1024
"""Maximum length of an answer that is decoded and checked in this process, in characters."""

MAX_STEPS = 20_000
"""Maximum number of schema parts times answer values; about 50 ms at worst."""

MAX_PARTS, MAX_DEPTH, MAX_PATTERN = 1000, 64, 200
"""Maximum size, nesting and pattern length of a schema that is itself checked in this process."""

_REFERENCE = 10
"""Cost of resolving a ``$ref``, in steps."""

_DIALECTS = re.compile(r"https?://json-schema\.org/(draft/20(20-12|19-09)|draft-0[67])/schema#?")
_UNBOUNDED = ("pattern", "patternProperties", "unevaluatedProperties", "unevaluatedItems")
_UNKNOWN_PLACES = ("$dynamicRef", "$recursiveRef")
_MAPS = ("properties", "dependentSchemas", "dependencies")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems", "items")
_SINGLE = (
    *("items", "additionalItems", "additionalProperties", "propertyNames"),
    *("not", "if", "then", "else", "contains"),
)
_VALUES = ("enum", "const", "required", "dependentRequired", "type")
_SPECIAL_GROUP = re.compile(
    r"\(\?(?!:)"
)  # flags make character classes slow to compile, look-arounds hide nesting


def is_cheap(demand: Demand, text: str) -> bool:
    """Whether checking an answer is cheap."""
    return len(text) <= MAX_TEXT and _weight_of_demand(demand) * values_in(text) <= MAX_STEPS


@lru_cache(maxsize=256)
def _weight_of_demand(demand: Demand) -> float:
    return 0 if demand.schema is None else weight_of(demand.schema)


def values_in(text: str) -> int:
    """Return an upper bound of the number of values in a JSON text."""
    return 1 + text.count(",") + text.count("[") + text.count("{")


def weight_of(schema: Any) -> float:
    """Return the number of schema parts that can apply to one value; infinite if it is unbounded."""
    dialect = schema.get("$schema") if isinstance(schema, dict) else None
    if dialect is not None and not (isinstance(dialect, str) and _DIALECTS.fullmatch(dialect)):
        return math.inf
    try:
        return _Weigher(schema).of(schema)
    except RecursionError:
        return math.inf


class _Weigher:
    """Sums the parts of one schema; the target of several references is summed once."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._known: dict[int, float] = {}

    def of(self, schema: Any) -> float:
        """Return the weight of a part of the schema."""
        if isinstance(schema, bool):
            return 1
        if not isinstance(schema, dict) or not _is_bounded(schema, is_root=schema is self._root):
            return math.inf
        if id(schema) not in self._known:
            self._known[id(schema)] = math.inf  # for a recursive reference
            total = 1 + sum(map(self.of, _parts(schema))) + sum(map(_size, _values(schema)))
            self._known[id(schema)] = total + self._reference(schema)
        return self._known[id(schema)]

    def _reference(self, schema: Mapping[str, Any]) -> float:
        if "$ref" not in schema:
            return 0
        reference = schema["$ref"]
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            return math.inf
        target = target_of(self._root, reference)
        return math.inf if target is None else _REFERENCE + self.of(target[0])


def _is_bounded(schema: Mapping[str, Any], *, is_root: bool) -> bool:
    if any(word in schema for word in (*_UNBOUNDED, *_UNKNOWN_PLACES)):
        return False
    return not schema.get("uniqueItems") and (is_root or "$id" not in schema)


def _parts(schema: Mapping[str, Any]) -> Iterator[Any]:
    for word in _MAPS:
        yield from (part for part in _inside(schema.get(word)) if not isinstance(part, list))
    for word in _LISTS:
        parts = schema.get(word, [])
        if isinstance(parts, list):
            yield from parts
    for word in _SINGLE:
        part = schema.get(word, True)
        if not isinstance(part, bool | list):
            yield part


def _values(schema: Mapping[str, Any]) -> Iterator[Any]:
    return (schema[word] for word in _VALUES if word in schema)


def _size(value: Any) -> int:
    """Return the number of values inside a value, including itself."""
    return 1 + sum(map(_size, _inside(value)))


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def is_plain(schema: Any) -> bool:
    """Whether validating the schema itself is cheap: it is small, flat, and has plain patterns."""
    level, parts = [schema], 0
    for _ in range(MAX_DEPTH):
        parts += len(level)
        if not level:
            return True
        if parts > MAX_PARTS or not all(map(_has_plain_patterns, level)):
            return False
        level = [part for value in level for part in _inside(value)]
    return False


def _has_plain_patterns(value: Any) -> bool:
    if not isinstance(value, dict):
        return True
    named = value.get("patternProperties")
    patterns = [value.get("pattern"), *(named if isinstance(named, dict) else ())]
    return all(
        len(pattern) <= MAX_PATTERN and not _SPECIAL_GROUP.search(pattern)
        for pattern in patterns
        if isinstance(pattern, str)
    )
