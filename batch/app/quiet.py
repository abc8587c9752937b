"""A reporter for programs: nothing is printed, results are handed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.policy.standing import Standing
    from batch.records import Failure, Request, Result


class QuietReporter:
    """Calls ``on_result`` with each durable result and keeps the rest to itself."""

    def __init__(self, on_result: Callable[[Result], None]) -> None:
        self.finished = on_result

    def start(self, total: int, already: int) -> None:
        """Nothing to say."""

    def found(self, total: int, already: int) -> None:
        """Nothing to say."""

    def fetching(self, done: int, total: int) -> None:
        """Nothing to say."""

    def watch(self, look: Callable[[], Standing] | None) -> None:
        """Nothing to say."""

    def sending(self, request: Request) -> None:
        """Nothing to say."""

    def failed_attempt(self, request: Request, failure: Failure, retry_in: float | None) -> None:
        """Nothing to say: the result's history tells of it."""

    def notice(self, message: str) -> None:
        """Nothing to say: the summary's reasons tell of it."""

    def remark(self, message: str) -> None:
        """Nothing to say."""

    def tick(self) -> None:
        """Nothing to say."""
