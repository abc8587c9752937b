"""Changes in the inputs of a job since the run first read them.

Nothing here decides what is sent. It collects what the readers find, for the log and for the reasons of the
summary.

File stamps show whether files have changed, by their size and times in the file system.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.errors import Diagnostic
    from batch.records import Result

MAX_REASONS = 3
"""Errors that the summary lists; the others are counted."""


class Changes:
    """Changes of the inputs during one run.

    ``missing`` counts the planned requests that are no longer in the inputs, ``edited`` those whose content
    has changed; both stay pending. ``is_partial``: a part of the inputs could not be read, or changed so
    often that the run stopped reading. ``record`` takes the failed results of documents and rows that have
    become unusable, and ``notice`` one sentence for the log.
    """

    def __init__(self) -> None:
        self.missing = 0
        self.edited = 0
        self.is_partial = False
        self.gathered: list[Result] = []
        self.record: Callable[[Result], None] = self.gathered.append
        self.notice: Callable[[str], None] = _ignore
        self._errors: dict[str, None] = {}
        self._is_reported = False

    def hand_over(self, record: Callable[[Result], None], notice: Callable[[str], None]) -> None:
        """Set the receivers of results and sentences; results collected so far are passed on first."""
        for result in self.gathered:
            record(result)
        self.gathered.clear()
        self.record, self.notice = record, notice

    def seen(self) -> None:
        """Report once that the inputs have changed."""
        if not self._is_reported:
            self._is_reported = True
            self.notice("the inputs have changed since the run started; rows are now matched by content")

    def failed(self, error: Diagnostic) -> None:
        """Add an error in the inputs."""
        self._errors[str(error)] = None

    def reasons(self) -> list[str]:
        """Return why requests are pending."""
        parts = []
        if self.missing:
            parts.append(f"{_requests(self.missing)} no longer found in them")
        if self.edited:
            parts.append(f"{_requests(self.edited)} found with another content")
        if self.is_partial and not self._errors:
            parts.append("a part of them was not read")
        reasons = list(self._errors)[:MAX_REASONS]
        if len(self._errors) > MAX_REASONS:
            reasons.append(f"{len(self._errors) - MAX_REASONS} more errors in the inputs")
        if parts:
            reasons.append(
                f"the inputs changed during the run: {', '.join(parts)}; run the same command to resume"
            )
        return reasons


def _requests(number: int) -> str:
    return "1 planned request is" if number == 1 else f"{number} planned requests are"


def _ignore(_: str) -> None:
    pass


_Stamp: TypeAlias = tuple[int, int, int, int] | None


class Stamps:
    """The stamps of the files of one reading: inode, size and change time when first checked."""

    def __init__(self) -> None:
        self._stamps: dict[str, _Stamp] = {}

    def changed(self, path: str) -> bool:
        """Return whether the file was replaced or written to since the first call for it."""
        now = _stamp(path)
        return self._stamps.setdefault(path, now) != now

    def any_changed(self) -> bool:
        """Return the same for all files that were checked."""
        return any(map(self.changed, list(self._stamps)))


def _stamp(path: str) -> _Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
