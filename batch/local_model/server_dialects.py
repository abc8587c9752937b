"""Both dialects on the server side: bodies to ``Chat``s, answers to JSON objects. No I/O.

The two differ in the form and the address of a request; an answer has the same form in both.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from batch.errors import ModelNotFoundError
from batch.local_model.chat import Chat, ChatError, Ending, Message, Sampling
from batch.wire.dialects.autonomous import ALIASES, DEFAULT_MODEL, MODELS, canonical

if TYPE_CHECKING:
    from batch.records import JSONObject

_T = TypeVar("_T")


class Question(Struct, frozen=True):
    """A chat, and the form of answer that the client requests."""

    chat: Chat
    stream: bool
    with_usage: bool
    """Whether a streamed answer ends with a chunk of usage."""

    with_delta: bool = False
    """Whether a whole answer also has its text as a ``delta``."""


class _AutonomousBody(Struct, rename="camel"):
    messages: str
    thread_id: str
    ai_agent: str
    stream: bool = False


class _StreamOptions(Struct):
    include_usage: bool = False


class _OpenAIBody(Struct):
    model: str
    messages: list[Message]
    stream: bool = False
    stream_options: _StreamOptions | None = None


def read_autonomous(body: bytes, path: str) -> Question:
    """Decode a request to one of the protocol's paths. Raises ``ChatError``."""
    fields = _decode(body, _AutonomousBody)
    _refuse_unsupported(body)
    if MODELS.get(fields.ai_agent) != path:
        here = ", ".join(name for name, its_path in MODELS.items() if its_path == path)
        raise ChatError(f"there is no agent {fields.ai_agent!r} at {path}; it has {here}", "unknown_agent")
    try:
        messages = base64.b64decode(fields.messages, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ChatError(f"messages is not base64: {error}") from error
    chat = Chat(fields.ai_agent, _some(_decode(messages, list[Message])), _decode(body, Sampling))
    return Question(chat, fields.stream, with_usage=True, with_delta=True)


def read_openai(body: bytes, served_by: str) -> Question:
    """Decode a chat completion; the model is one of the dialect's, or the one that actually answers.

    Raises ``ChatError``, with status 404 for an unknown model.
    """
    fields = _decode(body, _OpenAIBody)
    _refuse_unsupported(body)
    chat = Chat(_model(fields.model, served_by), _some(fields.messages), _decode(body, Sampling))
    options = fields.stream_options
    return Question(chat, fields.stream, with_usage=options is not None and options.include_usage)


def model_list(served_by: str) -> JSONObject:
    """The names that a chat completion may use."""
    names = dict.fromkeys([*MODELS, *ALIASES, served_by])
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 0, "owned_by": "promptjobs"} for name in names],
    }


class Writer:
    """Formats one answer: the chunks of a streamed one, or the whole. ``created`` is in Unix seconds."""

    def __init__(self, answer_id: str, created: int, served_by: str) -> None:
        self._head = {"id": answer_id, "created": created, "model": served_by}

    def delta(self, text: str) -> JSONObject:
        """Return a chunk with the next piece of the text."""
        return self._chunk({"role": "assistant", "content": text}, None)

    def finish(self, ending: Ending) -> JSONObject:
        """Return the chunk with the finish reason."""
        return self._chunk({}, ending.finish_reason)

    def usage(self, ending: Ending) -> JSONObject:
        """Return the chunk of usage, which comes after the finish and has no choices."""
        return {**self._head, "object": "chat.completion.chunk", "choices": [], "usage": ending.usage}

    def whole(self, text: str, ending: Ending, *, with_delta: bool = False) -> JSONObject:
        """Return the answer in one object; ``with_delta`` for clients that always expect a ``delta``."""
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": ending.finish_reason}
        if with_delta:
            choice["delta"] = message
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": ending.usage}

    def _chunk(self, delta: JSONObject, finish_reason: str | None) -> JSONObject:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {**self._head, "object": "chat.completion.chunk", "choices": [choice]}


def _decode(body: bytes, shape: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ChatError(f"the JSON is not as expected: {error}") from error


_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "n": (1,),
    "best_of": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "audio": (),
    "web_search_options": (),
    "suffix": ("",),
    "echo": (False,),
}
"""Unsupported parameters that change an answer, with the values that have no effect."""


def _refuse_unsupported(body: bytes) -> None:
    """Raise ``ChatError`` if a request requires something that this endpoint does not support."""
    for name, value in _decode(body, dict[str, Any]).items():
        if name in _UNSUPPORTED and value is not None and value not in _UNSUPPORTED[name]:
            raise ChatError(
                f"`{name}` is not supported by this endpoint; leave it out", "unsupported_parameter"
            )


def _some(messages: list[Message]) -> list[Message]:
    if not messages:
        raise ChatError("messages is empty")
    return messages


def _model(name: str, served_by: str) -> str:
    if name == served_by:
        return DEFAULT_MODEL
    try:
        return canonical(name)
    except ModelNotFoundError as error:
        raise ChatError(str(error), code="model_not_found", status=404) from error
