"""Registry of the readers of rows, by name. A reader is imported when a job first names such a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from batch.late_modules import module_named

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
    """Return the names of all readers, in the order of the registry."""
    return list(MODULES)


def reader_of(name: str) -> Reader:
    """Return the reader of that name. Raises ``UsageError``, which lists the known readers."""
    return cast("Reader", module_named(name, MODULES, "reader"))
