"""A provider without a socket: it plays what a script says, in any anyio backend, in virtual time too."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.records import Outcome, Request

Script: TypeAlias = "Callable[[Request, int], tuple[float, Outcome]]"
"""From a request and the number of its attempt, counted from 1, to seconds and an outcome."""


class ScriptedProvider:
    """Answers every attempt as the script says, after the time it says. ``attempts`` counts them by id."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.attempts: Counter[str] = Counter()

    async def complete(self, request: Request) -> Outcome:
        """Play one attempt."""
        self.attempts[request.id] += 1
        seconds, outcome = self._script(request, self.attempts[request.id])
        await anyio.sleep(seconds)
        return outcome
