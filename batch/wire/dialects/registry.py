"""The dialects that there are, by name. Each is imported when a job first names it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from batch.errors import UsageError

if TYPE_CHECKING:
    from batch.wire.dialects.protocol import Dialect

MODULES: dict[str, str] = {
    "openai": "batch.wire.dialects.openai",
    "autonomous": "batch.wire.dialects.autonomous",
}
"""Name → module. This is the one line that a new dialect needs besides its module."""


def names() -> list[str]:
    """The names of all dialects, in the order of the registry."""
    return list(MODULES)


def dialect_of(name: str) -> Dialect:
    """The dialect of that name.

    Raises ``UsageError``, listing what there is. No dialect stands in for another: prompts would go to an
    address that the job does not name.
    """
    module = MODULES.get(name)
    if module is None:
        raise UsageError(f"there is no dialect {name!r}; there is {', '.join(names())}")
    return cast("Dialect", import_module(module))
