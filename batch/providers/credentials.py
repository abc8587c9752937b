"""What an endpoint is shown besides the prompt, and how it is kept out of what is stored and printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batch.records import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch.records import Outcome


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """A key, further headers, and the ``secrets`` inside those headers or the proxy's address."""

    api_key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()

    def on(self, headers: Mapping[str, str]) -> dict[str, str]:
        """A dialect's headers with the key and the further ones, which come last and win."""
        key = {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        return {**headers, **key, **{name.lower(): value for name, value in self.headers.items()}}

    def redacted(self, outcome: Outcome) -> Outcome:
        """The outcome, without any secret in a failure's message: a server may echo what it was shown."""
        if not isinstance(outcome, Failure):
            return outcome
        message = outcome.message
        for secret in (*self.secrets, self.api_key):
            if secret:
                message = message.replace(secret, "…")
        return outcome if message == outcome.message else replace(outcome, message=message)
