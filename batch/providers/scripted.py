"""A provider without a network: it plays a script, in any anyio backend and in virtual time."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.records import Outcome, Request

Script: TypeAlias = "Callable[[Request, int], tuple[float, Outcome]]"
"""A function of a request and its attempt number (from 1) that returns seconds and an outcome."""


class ScriptedProvider:
    """Answers every attempt by the script, after the time of the script. ``attempts`` counts them by id."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.attempts: Counter[str] = Counter()

    async def complete(self, request: Request) -> Outcome:
        """Play one attempt."""
        self.attempts[request.id] += 1
        seconds, outcome = self._script(request, self.attempts[request.id])
        await anyio.sleep(seconds)
        return outcome
