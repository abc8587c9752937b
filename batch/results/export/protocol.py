"""The interface of an export format: how results are written as a data set or a table.

A format is a module that has the members of ``ExportFormat``, and one line in ``registry``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from batch.records import JSONObject, Result
    from batch.results.export.column_kinds import Kind


class Answer(Struct, frozen=True, gc=False):
    """A result to be exported, with the chat messages that it answers.

    ``messages`` are ``None`` if they are unknown. ``inputs`` are the columns of the row that the request was
    made of, empty if they are unknown. ``relabelled``: the metadata have changed since the answer.
    """

    result: Result
    messages: Sequence[JSONObject] | None = None
    inputs: JSONObject = {}
    relabelled: bool = False


class Column(Struct, frozen=True):
    """A column of a table. ``of`` returns an answer's value, which ``kind`` can hold."""

    name: str
    kind: Kind
    of: Callable[[Answer], Any]


class Layout(Struct, frozen=True):
    """What is written of each answer: the columns of a table, or the parts of a conversation.

    ``reasoning``: every answer has its reasoning. ``tool_calls``: some answers call tools, so every answer
    has that key: readers that infer a type from the first lines would fail at a later line with a new key.
    """

    columns: tuple[Column, ...] = ()
    reasoning: bool = False
    tool_calls: bool = False


Write: TypeAlias = Callable[[Answer], None]
"""Writes one answer."""

COLUMNS, REASONING = "--columns", "--include-reasoning"
"""The flags of ``export`` that only some formats take."""


class NotTextError(ValueError):
    """A message has other content than text, or no text: the format cannot represent it."""


class ExportFormat(Protocol):
    """The members that a format's module must have."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a constant of the module, as are the next ones
        """The name that ``export --format`` takes, and that the registry has."""

    @property
    def NEEDS_MESSAGES(self) -> bool:  # noqa: N802
        """Whether rows also contain the request messages. Such a format skips failed results."""

    @property
    def TAKES(self) -> frozenset[str]:  # noqa: N802
        """The flags that it takes: ``COLUMNS`` makes it a table, ``REASONING`` is a part of conversations."""

    def writer(self, stream: BinaryIO, layout: Layout) -> AbstractContextManager[Write]:
        """Return what writes answers to the stream, one at a time. At its end the file is whole.

        Raises ``UsageError`` where a library is missing, ``OSError``, and for single answers
        ``NotTextError``.
        """
