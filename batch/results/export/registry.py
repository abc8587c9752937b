"""The formats of exports that there are, by name. Each is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from batch.errors import UsageError

if TYPE_CHECKING:
    from batch.results.export.protocol import ExportFormat

MODULES: dict[str, str] = {
    "messages": "batch.results.export.messages",
    "sharegpt": "batch.results.export.sharegpt",
    "completion": "batch.results.export.completion",
    "csv": "batch.results.export.csv",
    "parquet": "batch.results.export.parquet",
    "openai-batch": "batch.results.export.openai_batch",
}
"""Name → module. This is the one line that a new format needs besides its module."""


def names() -> list[str]:
    """The names of all formats, in the order of the registry."""
    return list(MODULES)


def format_of(name: str) -> ExportFormat:
    """The format of that name. Raises ``UsageError``, listing what there is."""
    module = MODULES.get(name)
    if module is None:
        raise UsageError(f"there is no export format {name!r}; there is {', '.join(names())}")
    return cast("ExportFormat", import_module(module))
