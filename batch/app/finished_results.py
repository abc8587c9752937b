"""What an interrupted call of the library says about its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.events import ResultsDurable
from batch.terminal_escaping import escape

if TYPE_CHECKING:
    from pathlib import Path

    from batch.events import Event


class FinishedResults:
    """An observer that counts the durable results of one run. ``output`` is set once the job is loaded."""

    def __init__(self) -> None:
        self.output: Path | None = None
        self._number = 0

    def observe(self, event: Event) -> None:
        """Count durable results."""
        if isinstance(event, ResultsDurable):
            self._number += len(event.results)

    def interrupted(self) -> str:
        """Return one sentence for a run that was interrupted."""
        if not self._number:
            return "interrupted before there was a new result; run the job again to resume"
        results = "1 result was" if self._number == 1 else f"{self._number} results were"
        return f"interrupted: {results} written to {escape(str(self.output))}; run the job again to resume"
