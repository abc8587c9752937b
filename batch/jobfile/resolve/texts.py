"""The texts of a job file: as they are written, or ``file://`` and the path of a file that holds one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batch.diagnostics import Place, dotted, shown
from batch.errors import JobFileError
from batch.files import read_text
from batch.jobfile.paths import OutsideError
from batch.jobfile.templates import syntax_complaint

if TYPE_CHECKING:
    from pathlib import Path

    from batch.diagnostics import At, Findings
    from batch.jobfile.paths import Bounds
    from batch.jobfile.syntax.tree import Tree

PREFIX = "file://"


@dataclass(frozen=True, slots=True)
class JobTexts:
    """Reads the texts of one job; what is wrong with them goes to ``findings``.

    Paths are relative to the job file and stay in its trees. ``files`` are those that have been read.
    """

    tree: Tree
    findings: Findings
    bounds: Bounds
    files: list[Path] = field(default_factory=list)

    def plain(self, written: str, at: At) -> str:
        """The text as it is written, or that of the file that it names; nothing where that is a mistake."""
        return self._read(written, at)[0]

    def template(self, written: str, at: At) -> str:
        """The same for a template, whose syntax is checked."""
        text, place = self._read(written, at)
        self._check(text, place, at)
        return text

    def check(self, template: str, at: At) -> None:
        """Report the syntax of a template that never stands in a file of its own."""
        self._check(template, self.tree.places.value(at), at)

    def _check(self, template: str, place: Place, at: At) -> None:
        """Report it on its own line of the file, where the layout tells."""
        if complaint := syntax_complaint(template):
            what, line = complaint
            self.findings.at_place(place.at_text_line(line), dotted(at), what)

    def _read(self, written: str, at: At) -> tuple[str, Place]:
        """A text, and where it stands."""
        place = self.tree.places.value(at)
        if not written.startswith(PREFIX):
            return written, place
        name = written.removeprefix(PREFIX)
        try:
            path = self.bounds.resolve(name)
            text = read_text(path)
        except OutsideError as error:
            self.findings.at_value(at, f"{shown(name)}: {error}", "`--allow-path` allows another folder")
        except JobFileError as error:
            for mistake in error.mistakes:
                if mistake.line:
                    self.findings.append(mistake)
                else:
                    self.findings.at_value(at, f"{shown(name)}: {mistake.what}", mistake.hint)
        else:
            self.files.append(path)
            if not text:
                self.findings.at_value(at, f"{shown(name)}: is empty")
            return text, Place(str(path), 1, 1, body=1)
        return "", place
