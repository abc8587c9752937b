"""Repair of a result file after a crash or a change by another program, before a run writes to it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from batch.results.contents import Contents, survey
from batch.results.filesystem import append_durably, replace_content, temporary_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from batch.records import Result
    from batch.results.filesystem import FileSystem
    from batch.results.reclassification import Restate


def corrupt_path(output: Path) -> Path:
    """Return the path for the unreadable lines of an output; ``output`` has no symbolic links."""
    return output.with_name(f"{output.name}.corrupt")


class Repairer:
    """Reads a file and repairs it.

    ``notices`` are messages to the user about repairs. ``has_quarantined``: unreadable lines have moved to
    ``<output>.corrupt``. ``restate`` translates results of an older version.
    """

    def __init__(self, files: FileSystem, path: Path, restate: Restate | None = None) -> None:
        self.notices: list[str] = []
        self.has_quarantined = False
        self._files = files
        self._path = path
        self._restate = restate

    def read(self, each: Callable[[Result], None] | None) -> Contents:
        """Read the file if it exists, and repair it. An exception of ``each`` prevents any repair.

        Raises ``ForeignOutputError`` for a file that must not be changed, and ``OSError``.
        """
        self._files.remove(temporary_name(self._path))
        contents = self._contents(each)
        if contents.partial:
            self._remove_partial_line(contents)
        if contents.index.unreadable:
            self._quarantine(contents)
            return self._contents()
        if contents.untidy:
            self.rewrite(contents, range(len(contents)))
            self._notify("repaired line ends that another program had changed; no results were lost")
            return self._contents()
        if contents.unended:
            append_durably(self._files, self._path, [b"\n"], like=self._path)
            self._notify("added the missing line end of the last line; no results were lost")
            contents.end_last_line()
        return contents

    def rewrite(self, contents: Contents, numbers: Iterable[int]) -> None:
        """Replace the file by the lines with these numbers."""
        with self._files.open_read(self._path) as stream:
            replace_content(self._files, self._path, contents.lines(stream, numbers))

    def _contents(self, each: Callable[[Result], None] | None = None) -> Contents:
        with suppress(FileNotFoundError), self._files.open_read(self._path) as stream:
            return survey(stream, self._path, each, self._restate)
        return Contents()

    def _notify(self, what: str) -> None:
        self.notices.append(f"{self._path.name}: {what}")

    def _remove_partial_line(self, contents: Contents) -> None:
        descriptor = self._files.open_append(self._path, like=self._path)
        try:
            self._files.truncate(descriptor, contents.length)
            self._files.sync(descriptor)
        finally:
            self._files.close(descriptor)
        self._notify(f"removed a partial last line ({contents.partial} bytes); its request is sent again")

    def _quarantine(self, contents: Contents) -> None:
        index, corrupt = contents.index, corrupt_path(self._path)
        # A crash between the two steps leaves these lines in both files; they are never lost.
        with self._files.open_read(self._path) as stream:
            unreadable = contents.lines(stream, index.unreadable_lines())
            append_durably(self._files, corrupt, unreadable, like=self._path)
        self.rewrite(contents, index.readable_lines())
        self.has_quarantined = True
        self._notify(
            f"{index.unreadable} unreadable line{'s' * (index.unreadable > 1)} moved to {corrupt.name}; "
            "their requests are sent again"
        )
