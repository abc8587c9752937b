"""The readers of rows that there are, by name. Each is imported when a job first names such a file."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from batch.errors import UsageError

if TYPE_CHECKING:
    from batch.inputs.readers.protocol import Reader

MODULES: dict[str, str] = {
    "csv": "batch.inputs.readers.csv",
    "jsonl": "batch.inputs.readers.jsonl",
    "parquet": "batch.inputs.readers.parquet",
    "results": "batch.inputs.readers.results",
}
"""Name → module. This is the one line that a new reader needs besides its module and its schema key."""


def names() -> list[str]:
    """The names of all readers, in the order of the registry."""
    return list(MODULES)


def reader_of(name: str) -> Reader:
    """The reader of that name. Raises ``UsageError``, listing what there is."""
    module = MODULES.get(name)
    if module is None:
        raise UsageError(f"there is no reader {name!r}; there is {', '.join(names())}")
    return cast("Reader", import_module(module))
