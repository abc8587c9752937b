"""How many results a run has replaced by newer ones of the same requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import Counter

    from batch.results.index import Index


class Replaced:
    """Counts the lines that new lines of the same requests have replaced since it was made."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._successes = index.replaced_successes
        self._failures = index.replaced_failures.copy()

    @property
    def successes(self) -> int:
        """Replaced lines that had succeeded."""
        return self._index.replaced_successes - self._successes

    @property
    def failures(self) -> Counter[str]:
        """Replaced lines that had failed, by their codes."""
        return self._index.replaced_failures - self._failures
