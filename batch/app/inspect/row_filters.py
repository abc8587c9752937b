"""Which requests are shown, by their status, their error code, and their text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from batch.scheduling.selection import matches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.records import Result

Status: TypeAlias = Literal["succeeded", "failed", "pending"]


@dataclass(frozen=True, slots=True)
class Filters:
    """What rows must have to be shown; an empty filter is met by all.

    ``codes`` are error codes and patterns of them. ``text`` is looked for in ids, answers and error messages,
    whatever its case.
    """

    statuses: frozenset[str] = frozenset()
    codes: tuple[str, ...] = ()
    text: str = ""

    def take(self, status: Status, code: str) -> bool:
        """Return whether a row may be shown, as far as its line need not be read."""
        if self.statuses and status not in self.statuses:
            return False
        return not self.codes or (status == "failed" and any(matches(each, code) for each in self.codes))

    def take_text(self, request_id: str, result: Result | None) -> bool:
        """Return whether a row holds the text."""
        wanted = self.text.casefold()
        return not wanted or any(wanted in text.casefold() for text in _texts(request_id, result))


def _texts(request_id: str, result: Result | None) -> Iterator[str]:
    yield request_id
    if result is None:
        return
    yield from filter(None, (result.text, result.partial_text, result.refusal))
    if result.error is not None:
        yield result.error.message
