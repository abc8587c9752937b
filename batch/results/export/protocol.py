"""The interface of an export format: how results are written as a data set or a table.

A format is a module that has the members of ``ExportFormat``, and one line in ``registry``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeAlias

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from batch.records import Result

Messages: TypeAlias = Sequence[Mapping[str, Any]]
"""The chat messages of the request that a result answers."""

Write: TypeAlias = "Callable[[Result, Messages], None]"
"""Writes one result with its messages."""


class NotTextError(ValueError):
    """A message has other content than text, or no text: the format cannot represent it."""


class ExportFormat(Protocol):
    """The members that a format's module must have."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a constant of the module, as is the next one
        """The name that ``export --format`` takes, and that the registry has."""

    @property
    def NEEDS_MESSAGES(self) -> bool:  # noqa: N802
        """Whether rows also contain the request messages. Such a format skips failed results."""

    def writer(self, stream: BinaryIO) -> AbstractContextManager[Write]:
        """Return what writes results to the stream, one at a time. At its end the file is whole.

        Raises ``UsageError`` where a library is missing, ``OSError``, and for single results
        ``NotTextError``.
        """
