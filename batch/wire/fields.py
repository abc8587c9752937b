"""Lenient reading of single fields of any type."""

from __future__ import annotations

import json
from typing import Any


def reason(value: Any) -> str | None:
    """Return a finish reason; a value of an unknown type ends the answer for an unknown reason.

    SGLang's own API sends an object whose ``type`` is the reason.
    """
    if isinstance(value, dict) and isinstance(value.get("type"), str):
        value = value["type"]
    if isinstance(value, str) or not value:
        return value or None
    return json.dumps(value)[:100]


def text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def kind(value: object) -> str:
    """Return the JSON type of a value, in words."""
    if isinstance(value, bool):
        return "true or false"
    kinds = {int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return kinds.get(type(value), "of an unknown type")


def inner(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None
