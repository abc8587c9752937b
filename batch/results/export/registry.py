"""Registry of the export formats, by name. A format is imported on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from batch.late_modules import module_named

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
    """Return the names of all formats, in the order of the registry."""
    return list(MODULES)


def format_of(name: str) -> ExportFormat:
    """Return the format of that name. Raises ``UsageError``, which lists the known formats."""
    return cast("ExportFormat", module_named(name, MODULES, "export format"))
