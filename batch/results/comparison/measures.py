"""What the compared results of one output have used: tokens, cost and time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.results.statistics import Latencies, Statistics

if TYPE_CHECKING:
    from batch.records import Result


class Measures:
    """The sums over results. ``cost`` is ``None`` if that of no result is known."""

    def __init__(self) -> None:
        self._statistics = Statistics()
        self._latencies = Latencies()

    def add(self, result: Result) -> None:
        """Count a result."""
        self._statistics.add(result)
        self._latencies.add(result)

    @property
    def prompt_tokens(self) -> int:
        """The tokens of the prompts, as far as servers have counted them."""
        return self._statistics.prompt_tokens

    @property
    def completion_tokens(self) -> int:
        """The tokens of the answers, as far as servers have counted them."""
        return self._statistics.completion_tokens

    @property
    def cost(self) -> float | None:
        """The sum of the known costs."""
        return self._statistics.cost if self._statistics.priced else None

    @property
    def unpriced(self) -> int:
        """The results with tokens whose cost is unknown."""
        return self._statistics.unpriced

    def latency(self) -> tuple[float, float] | None:
        """Return the median and the 90th percentile of the answers in seconds; ``None`` if unknown."""
        return self._latencies.percentiles()
