"""The interface between dialects and engines: a chat and its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from batch.records import JSONObject, Usage

SUMMARY = "summary"
"""The canonical model that summarizes by quoting; the others answer freely."""


class ChatError(Exception):
    """The request cannot be answered: an HTTP status, a message, and a code for programs."""

    def __init__(self, message: str, code: str = "invalid_request", status: int = 400) -> None:
        self.message = message
        self.code = code
        self.status = status
        super().__init__(message)

    def body(self) -> JSONObject:
        """Return the error as both dialects report it."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {"error": {"message": self.message, "type": kind, "code": self.code}}


class Part(Struct, frozen=True):
    """One part of a message; only text parts are supported."""

    type: str
    text: str = ""


class Message(Struct, frozen=True):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None

    def text(self) -> str:
        """Return the content as one string. Raises ``ChatError`` for anything but text."""
        if isinstance(self.content, str):
            return self.content
        parts = self.content or []
        if any(part.type != "text" for part in parts):
            raise ChatError("this model reads text only", code="unsupported_content")
        return "".join(part.text for part in parts)


class Sampling(Struct, frozen=True, omit_defaults=True):
    """The parameters that an engine may use, by OpenAI's names; ``None`` if the request has none."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repeat_penalty: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    response_format: dict[str, Any] | None = None


class Chat(Struct, frozen=True):
    """One request: a canonical model, the conversation, and how to sample."""

    model: str
    messages: list[Message]
    sampling: Sampling = Sampling()

    def last_user_text(self) -> str:
        """The text of the last message from the user; empty where there is none."""
        return next((m.text() for m in reversed(self.messages) if m.role == "user"), "")


class Ending(Struct, frozen=True):
    """How an answer ended, and its usage."""

    finish_reason: Literal["stop", "length"]
    usage: Usage


OnDelta: TypeAlias = Callable[[str], bool]
"""Takes the next piece of the answer; returns whether the rest is still needed."""


class Engine(Protocol):
    """Answers chats. ``answer`` may be called from ``parallel`` threads at once."""

    @property
    def name(self) -> str:
        """The kind of engine: ``llama`` or ``extractive``."""
        ...

    @property
    def served_by(self) -> str:
        """The name of the model that answers, as in replies."""
        ...

    @property
    def parallel(self) -> int:
        """How many chats it answers at a time."""
        ...

    def answer(self, chat: Chat, on_delta: OnDelta) -> Ending:
        """Answer in pieces, and block until the end, or until the rest is no longer needed.

        Raises ``ChatError``; before the first piece if the request itself is invalid.
        """
        ...
