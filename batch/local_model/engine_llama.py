"""The engine with a real language model, run by llama.cpp inside this process.

Only ``summary`` uses a grammar; the other models answer freely, with the same weights.
"""

from __future__ import annotations

import os
import secrets
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from batch.errors import LocalModelError
from batch.local_model.chat import SUMMARY, Chat, ChatError, Ending, Message, OnDelta
from batch.local_model.grammar import summary_grammar
from batch.records import JSONObject, Usage

if TYPE_CHECKING:
    from pathlib import Path

CONTEXT = 4096
"""The maximum tokens of a conversation and its answer together."""
_PARALLEL = 2
_MAX_CHARACTERS_PER_TOKEN = 16
_SUMMARY_PROMPT = "You summarise a text by quoting its most important sentences."


class LlamaEngine:
    """A loaded GGUF file. It cannot be unloaded while it answers, so it stays until the process ends."""

    name = "llama"
    parallel = _PARALLEL

    def __init__(self, weights: Path, served_by: str) -> None:
        """Load the weights; takes about a second. Raises ``LocalModelError``."""
        self.served_by = served_by
        self._server = _load(weights)

    def answer(self, chat: Chat, on_delta: OnDelta) -> Ending:
        """Answer as the model samples, piece by piece."""
        reader = _ChunkReader(on_delta)
        try:
            self._server.handle_chat_completions(request_body(chat), reader)
        except (ValueError, RuntimeError) as error:
            raise ChatError(str(error)) from error
        return reader.ending()


def request_body(chat: Chat) -> JSONObject:
    """Return the body of the request to llama.cpp. Raises ``ChatError`` if it is certain to fail."""
    messages = [{"role": _role(message), "content": message.text()} for message in chat.messages]
    if sum(len(message["content"]) for message in messages) > CONTEXT * _MAX_CHARACTERS_PER_TOKEN:
        raise _context_exceeded(f"the messages are longer than {CONTEXT} tokens can be")
    body = {
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        "cache_prompt": False,  # an answer must not depend on earlier requests
        **msgspec.to_builtins(chat.sampling),
    }
    return _held_to_quoting(body, chat) if chat.model == SUMMARY else body


def _role(message: Message) -> str:
    """Map OpenAI's newer name of the system role, which models' templates do not know."""
    return "system" if message.role == "developer" else message.role


def _held_to_quoting(body: JSONObject, chat: Chat) -> JSONObject:
    grammar = summary_grammar(chat.last_user_text())
    if grammar is None:
        raise ChatError("the user's message has no sentence that could be quoted", code="no_sentences")
    messages = body["messages"]
    if not any(message["role"] == "system" for message in messages):
        messages = [{"role": "system", "content": _SUMMARY_PROMPT}, *messages]
    own = {key: value for key, value in body.items() if key != "response_format"}
    return {"temperature": 0, **own, "messages": messages, "grammar": grammar}


class _ChunkReader:
    """llama.cpp's callback: pass the text on and record the end. Return true to stop the generation.

    It must not raise: llama.cpp would lose the exception.
    """

    def __init__(self, on_delta: OnDelta) -> None:
        self._on_delta = on_delta
        self._error: JSONObject | None = None
        self._finish_reason: str | None = None
        self._usage = Usage()

    def __call__(self, chunk: JSONObject) -> bool:
        self._error = chunk.get("error", self._error)
        if usage := chunk.get("usage"):
            self._usage = msgspec.convert(usage, Usage)
        for choice in chunk.get("choices", ()):
            self._finish_reason = choice.get("finish_reason") or self._finish_reason
            text = choice.get("delta", {}).get("content")
            if text and not self._on_delta(text):
                return True
        return False

    def ending(self) -> Ending:
        """Return how the answer ended. Raises ``ChatError`` if llama.cpp reported an error."""
        if self._error is not None:
            raise _translated(self._error)
        return Ending("length" if self._finish_reason == "length" else "stop", self._usage)


def _translated(error: JSONObject) -> ChatError:
    message = str(error.get("message", "llama.cpp failed"))
    if error.get("type") == "exceed_context_size_error":
        return _context_exceeded(message)
    status = error.get("code")
    return ChatError(message, status=400) if status == 400 else ChatError(message, "engine_failed", 500)


def _context_exceeded(message: str) -> ChatError:
    return ChatError(message, code="context_length_exceeded")


def _load(weights: Path) -> Any:
    xllamacpp = _import_xllamacpp()
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx = CONTEXT * _PARALLEL
    params.n_parallel = _PARALLEL
    params.verbosity = -1
    # Reading a prompt benefits from every core. Writing a token is so little work that synchronizing
    # the threads costs more than they gain.
    params.cpuparams_batch.n_threads = _cores()
    params.cpuparams.n_threads = max(1, _cores() // 2)
    # llama.cpp opens a port of its own, which must not be usable: protect it.
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [secrets.token_urlsafe(32)]
    params.cors_origins = ""
    params.ui = False
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise LocalModelError(f"llama.cpp cannot load {weights}: is it a GGUF file? ({error})") from error


def _cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _import_xllamacpp() -> Any:
    try:
        return import_module("xllamacpp")
    except ImportError as error:
        raise LocalModelError(_import_hint(error)) from error


def _import_hint(error: ImportError) -> str:
    if isinstance(error, ModuleNotFoundError):
        return "engine llama needs xllamacpp: pip install 'promptjobs[local]', or use `engine: extractive`"
    if "libgomp" in str(error):
        return (
            "llama.cpp needs the system library libgomp.so.1: `apt install libgomp1` on Debian and Ubuntu, "
            "`dnf install libgomp` on Fedora; or use `engine: extractive`"
        )
    return f"llama.cpp cannot be loaded: {error}; or use `engine: extractive`"
