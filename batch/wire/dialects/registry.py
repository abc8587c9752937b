"""Registry of the dialects. Each is imported when a job first names it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, cast

from batch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    module = MODULES.get(name)
    if module is None:
        raise UsageError(f"unknown dialect {name!r}; known: {', '.join(names())}")
    return cast("Dialect", import_module(module))


class _Canonical(Mapping[str, "Callable[[str], str]"]):
    """For each dialect, its function for canonical model names; imports dialects on first use."""

    def __getitem__(self, name: str) -> Callable[[str], str]:
        if name not in MODULES:
            raise KeyError(name)
        return dialect_of(name).canonical

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)


CANONICAL: Mapping[str, Callable[[str], str]] = _Canonical()
"""Dialect → function that returns a model's canonical name, or raises ``ModelNotFoundError``."""
