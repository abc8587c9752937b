"""The fields that a JSON Schema declares for an object, with the types of their columns."""

from __future__ import annotations

from typing import Any

from batch.results.export.column_kinds import Kind, all_joined, kind_of_all
from batch.structured_output import target_of

_KINDS = {
    "string": Kind.TEXT,
    "boolean": Kind.BOOL,
    "integer": Kind.INT,
    "number": Kind.FLOAT,
    "array": Kind.TEXT,
    "object": Kind.TEXT,
    "null": None,
}
_MAX_DEPTH = 20
"""References and alternatives that are followed: a schema may refer to itself."""


def fields_of(schema: Any) -> dict[str, Kind]:
    """Return the declared properties of the object that a schema describes, in its order.

    A property without a type that is known here is left out. Only references inside the schema are followed.
    """
    found = {}
    properties = _resolved(schema, schema).get("properties")
    for name, part in properties.items() if isinstance(properties, dict) else ():
        if (kind := _kind(part, schema, 0)) is not None:
            found[name] = kind
    return found


def _kind(part: Any, schema: Any, depth: int) -> Kind | None:
    """Return the type of a property; ``None`` if it is unknown, or null."""
    part = _resolved(part, schema)
    if depth > _MAX_DEPTH:
        return None
    if "const" in part:
        return kind_of_all([part["const"]])
    if isinstance(part.get("enum"), list):
        return kind_of_all(part["enum"])
    if "type" in part:
        names = part["type"] if isinstance(part["type"], list) else [part["type"]]
        return all_joined(_KINDS.get(name, Kind.TEXT) for name in names if isinstance(name, str))
    for key in ("anyOf", "oneOf", "allOf"):
        if isinstance(part.get(key), list):
            return all_joined(_kind(each, schema, depth + 1) for each in part[key])
    return None


def _resolved(part: Any, schema: Any) -> dict[str, Any]:
    """Return the schema that a part refers to; an empty one if it refers to none that is known here."""
    for _ in range(_MAX_DEPTH):
        if not isinstance(part, dict):
            return {}
        reference = part.get("$ref")
        if not isinstance(reference, str):
            return part
        target = target_of(schema, reference) if reference.startswith("#") else None
        part = target and target[0]
    return {}
