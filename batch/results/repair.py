"""What a crash or another program has done to a result file, and its repair before a run writes to it."""

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
    """Where the unreadable lines of an output go; ``output`` is free of symbolic links."""
    return output.with_name(f"{output.name}.corrupt")


class Repairer:
    """Reads a file and repairs it.

    ``notices`` are sentences for a person about what was repaired. ``has_quarantined``: unreadable lines have
    moved to ``<output>.corrupt``. ``restate`` says how lines have to be read.
    """

    def __init__(self, files: FileSystem, path: Path, restate: Restate | None = None) -> None:
        self.notices: list[str] = []
        self.has_quarantined = False
        self._files = files
        self._path = path
        self._restate = restate

    def read(self, each: Callable[[Result], None] | None) -> Contents:
        """Read the file, where there is one, and repair it. What ``each`` raises ends that before any repair.

        Raises ``ForeignOutputError`` for a file that is left as it is, and ``OSError``.
        """
        self._files.remove(temporary_name(self._path))
        contents = self._contents(each)
        if contents.torn:
            self._cut_torn_line(contents)
        if contents.index.unreadable:
            self._quarantine(contents)
            return self._contents()
        if contents.untidy:
            self.rewrite(contents, range(len(contents)))
            self._say("another program had changed its line ends; they are as they were, and nothing is lost")
            return self._contents()
        if contents.unended:
            append_durably(self._files, self._path, [b"\n"], like=self._path)
            self._say("the last line is whole but had no line end, which it has now")
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

    def _say(self, what: str) -> None:
        self.notices.append(f"{self._path.name}: {what}")

    def _cut_torn_line(self, contents: Contents) -> None:
        descriptor = self._files.open_append(self._path, like=self._path)
        try:
            self._files.truncate(descriptor, contents.length)
            self._files.sync(descriptor)
        finally:
            self._files.close(descriptor)
        self._say(
            f"the last line was torn and has been cut off ({contents.torn} bytes); its request runs again"
        )

    def _quarantine(self, contents: Contents) -> None:
        index, corrupt = contents.index, corrupt_path(self._path)
        # A crash between the two steps leaves these lines in both files, and never in neither.
        with self._files.open_read(self._path) as stream:
            unreadable = contents.lines(stream, index.unreadable_lines())
            append_durably(self._files, corrupt, unreadable, like=self._path)
        self.rewrite(contents, index.readable_lines())
        self.has_quarantined = True
        self._say(
            f"{index.unreadable} unreadable line{'s' * (index.unreadable > 1)} moved to {corrupt.name}; "
            "what they answered runs again"
        )
