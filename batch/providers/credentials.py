"""What an endpoint is shown besides the prompt, and how it is kept out of what is stored and printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from dataclasses import replace as replace_field
from typing import TYPE_CHECKING, Any, Self, TypeVar

from msgspec.structs import replace

from batch import __version__
from batch.records import Failure, Reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

AnyOutcome = TypeVar("AnyOutcome", bound=Reply | Failure)

USER_AGENT = f"promptjobs/{__version__}"

LONG = 16
"""Characters from which on a secret can be no word of an answer."""

_OF_A_FAILURE = ("message", "partial_text", "server_code", "finish_reason")
_OF_A_REPLY = ("text", "reasoning", "refusal", "finish_reason", "served_by", "tool_calls", "logprobs")


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """A key, further headers, and the ``secrets`` inside those headers or the proxy's address."""

    api_key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()

    @property
    def _secrets(self) -> tuple[str, ...]:
        return (*self.secrets, self.api_key) if self.api_key else self.secrets

    def on(self, headers: Mapping[str, str]) -> dict[str, str]:
        """A dialect's headers with the key and the further ones, which come last and win."""
        key = {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        return {**headers, **key, **{name.lower(): value for name, value in self.headers.items()}}

    def knowing(self, secrets: Iterable[str]) -> Self:
        """The same, with further secrets that are shown."""
        return replace_field(self, secrets=(*self.secrets, *secrets))

    def redacted(self, outcome: AnyOutcome) -> AnyOutcome:
        """The outcome, without any secret: a server may echo what it was shown.

        A failure's message loses every secret, and what the model has said the long ones. A short one may be
        a word of the answer: there are servers that take ``ollama`` for a key.
        """
        secrets = self._secrets
        if not secrets:
            return outcome
        changed = {}
        for name in _OF_A_FAILURE if isinstance(outcome, Failure) else _OF_A_REPLY:
            text = clean = getattr(outcome, name)
            for secret in secrets if text else ():
                if name in ("message", "server_code") or len(secret) >= LONG:
                    clean = _without(clean, secret) if isinstance(clean, str) else _inside(clean, secret)
            if clean != text:
                changed[name] = clean
        answer = outcome.answer if isinstance(outcome, Failure) else None
        if answer is not None and (clean := self.redacted(answer)) is not answer:
            changed["answer"] = clean
        return replace(outcome, **changed) if changed else outcome


def _without(message: str, secret: str) -> str:
    """The message without the secret, and without the beginning of it where the message was cut inside it."""
    if not secret:
        return message
    message = message.replace(secret, "…")
    if not message.endswith("…"):
        return message
    cut = message.removesuffix("…")
    for length in range(min(len(secret), len(cut)), 3, -1):
        if cut.endswith(secret[:length]):
            return cut[:-length] + "…"
    return message


def _inside(value: Any, secret: str) -> Any:
    """A value of JSON without the secret in any of its texts."""
    if isinstance(value, str):
        return value.replace(secret, "…")
    if isinstance(value, list):
        return [_inside(item, secret) for item in value]
    if isinstance(value, dict):
        return {key.replace(secret, "…"): _inside(item, secret) for key, item in value.items()}
    return value
