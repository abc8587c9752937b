"""The embedded endpoint as a provider that knows whether its process still lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from batch.records import Failure

if TYPE_CHECKING:
    from anyio.abc import Process

    from batch.protocols import Provider
    from batch.records import Outcome, Request


class EmbeddedEndpoint:
    """Passes attempts on; a failure after the child's death is said to be just that, and holds the lane."""

    def __init__(self, provider: Provider, child: Process) -> None:
        self._provider = provider
        self._child = child

    async def complete(self, request: Request) -> Outcome:
        """Make one attempt."""
        outcome = await self._provider.complete(request)
        code = self._child.returncode
        if code is None or not isinstance(outcome, Failure):
            return outcome
        died = f"the embedded endpoint has died (exit code {code}); was the machine out of memory?"
        return replace(outcome, code="local_model", message=died)
