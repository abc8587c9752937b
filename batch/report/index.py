"""The rows of the table, column by column, in compressed chunks: all that is sorted and filtered by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batch.report.packing import pack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHUNK = 8192
"""Rows of a chunk."""

MAX_COLUMNS = 12
"""Kept input columns that are in the index, and searched. The table shows four; all are in opened rows."""

COLUMNS = (
    "id",
    "output",
    "status",
    "change",
    "code",
    "verdict",
    "model",
    "prompt_tokens",
    "completion_tokens",
    "cost",
    "seconds",
    "words",
    "block",
    "at",
)
"""The names of a chunk's lists. ``output`` to ``model`` are numbers of names."""


class Names:
    """Numbers names in the order of their first use."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._numbers = {name: number for number, name in enumerate(names)}

    def number(self, name: str) -> int:
        """Return the number of a name; it gets one if it has none."""
        number = self._numbers.get(name)
        return self._numbers.setdefault(name, len(self._numbers)) if number is None else number

    def __iter__(self) -> Any:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


class IndexPacker:
    """Collects rows; a full chunk is compressed at once, so that memory stays small."""

    def __init__(self) -> None:
        self.columns = Names()
        self.chunks: list[bytes] = []
        self.size = 0
        self.words_size = 0
        self._rows: list[tuple[Any, ...]] = []
        self._kept: list[Mapping[str, str]] = []

    def add(self, row: tuple[Any, ...], kept: Mapping[str, str]) -> bool:
        """Add a row with the values of ``COLUMNS``, and its kept input columns as short texts.

        Return whether that has filled a chunk, so that ``size`` has changed.
        """
        self._rows.append(row)
        self._kept.append(kept)
        for name in kept:
            if len(self.columns) < MAX_COLUMNS:
                self.columns.number(name)
        if len(self._rows) < CHUNK:
            return False
        self.finish()
        return True

    def finish(self) -> None:
        """Compress the last rows."""
        if not self._rows:
            return
        chunk: dict[str, Any] = dict(zip(COLUMNS, zip(*self._rows, strict=True), strict=True))
        chunk["kept"] = [[kept.get(name) for kept in self._kept] for name in self.columns]
        words = pack(chunk.pop("words"))
        packed = pack(chunk)
        self.chunks += (packed, words)
        self.size += len(packed) + len(words)
        self.words_size += len(words)
        self._rows.clear()
        self._kept.clear()
