"""Registry of the dialects. Each is imported when a job first names it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from batch.late_modules import module_named

if TYPE_CHECKING:
    from batch.wire.dialects.protocol import Dialect

MODULES: dict[str, str] = {
    "openai": "batch.wire.dialects.openai",
    "autonomous": "batch.wire.dialects.autonomous",
}
"""Name → module. A new dialect needs only this line besides its module."""


def names() -> list[str]:
    """Return the names of all dialects, in the order of the registry."""
    return list(MODULES)


def dialect_of(name: str) -> Dialect:
    """Return the dialect of that name.

    Raises ``UsageError``, which lists the dialects. No dialect is a fallback for another: prompts would be
    sent to an address that the job does not name.
    """
    return cast("Dialect", module_named(name, MODULES, "dialect"))
