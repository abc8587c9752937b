"""Keeping keys out of what is stored and shown: a server may echo them in its error messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from batch.records import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch.records import Outcome


def redacted(outcome: Outcome, secrets: Iterable[str | None]) -> Outcome:
    """The outcome, without any of the secrets in a failure's message."""
    if not isinstance(outcome, Failure):
        return outcome
    message = outcome.message
    for secret in secrets:
        if secret:
            message = message.replace(secret, "…")
    return outcome if message == outcome.message else replace(outcome, message=message)
