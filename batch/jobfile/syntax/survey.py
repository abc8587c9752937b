"""The first pass over a JSONL job file: its mistakes, and the models that its rows name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batch.diagnostics import Place
from batch.errors import JobFileError, Mistake
from batch.jobfile.syntax.job_rows import JobRow, job_rows
from batch.parameters import max_tokens

if TYPE_CHECKING:
    from pathlib import Path

    from batch.diagnostics import MistakeList


@dataclass(slots=True)
class Survey:
    """What the rows ask for. Each place is that of the first such row.

    ``models`` holds the names that rows bring themselves, ``unnamed`` a row that brings none; ``batch`` is a
    line of an OpenAI Batch file, ``own`` a row of the job's own form. ``uncapped`` holds, by the models that
    they name, rows that do not bound their answers.
    """

    models: dict[str, Place] = field(default_factory=dict)
    unnamed: Place | None = None
    batch: Place | None = None
    own: Place | None = None
    uncapped: dict[str | None, Place] = field(default_factory=dict)

    def take_in(self, row: JobRow, path: str) -> None:
        """Note what this row asks for."""
        if row.model not in self.uncapped and max_tokens(row.params) is None:
            self.uncapped[row.model] = Place(path, row.line, 1)
        if row.model is not None and row.model in self.models and (self.batch if row.batch else self.own):
            return
        place = Place(path, row.line, 1)
        if row.model is None:
            self.unnamed = self.unnamed or place
        else:
            self.models.setdefault(row.model, place)
        if row.batch:
            self.batch = self.batch or place
        else:
            self.own = self.own or place


def survey(path: Path, mistakes: MistakeList) -> Survey:
    """Read all rows once, in memory that does not grow with them.

    Raises ``JobFileError`` where the file cannot be read: nobody knows whether it is a job file at all.
    """
    result = Survey()
    seen = 0
    for row in job_rows(path):
        seen += 1
        if isinstance(row, Mistake):
            if not row.line:
                raise JobFileError([row])
            mistakes.append(row)
        elif row is not None:
            result.take_in(row, str(path))
    if not seen:
        mistakes.append(Mistake(str(path), 0, 0, "", "has no rows"))
    return result
