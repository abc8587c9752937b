"""Export as JSON Lines in the formats of data sets and other programs: one JSON object for each result.

Every row has the same keys with the same value types; a missing value is ``null``. Readers that infer a
schema from the first rows therefore infer the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from batch.results.export.table import told

if TYPE_CHECKING:
    from batch.records import JSONObject, Result, Usage

Messages: TypeAlias = Sequence[Mapping[str, Any]]
"""The chat messages of the request that a result answers."""

_SHAREGPT = {"system": "system", "developer": "system", "user": "human", "assistant": "gpt", "tool": "tool"}


class NotTextError(ValueError):
    """A message has other content than text, or no text: the format cannot represent it."""


def chat(result: Result, messages: Messages) -> JSONObject:
    """Return ``{"messages": […]}``: the conversation with its answer, the format for fine-tuning.

    Raises ``NotTextError`` if the answer has neither text nor a tool call.
    """
    if result.tool_calls:
        answer = {"role": "assistant", "content": result.text or None, "tool_calls": result.tool_calls}
    else:
        answer = {"role": "assistant", "content": _answer(result)}
    return {"messages": [*messages, answer]}


def sharegpt(result: Result, messages: Messages) -> JSONObject:
    """Return ``{"conversations": [{"from", "value"}]}``. Raises ``NotTextError``."""
    turns = [{"from": _SHAREGPT.get(str(m["role"]), str(m["role"])), "value": text(m)} for m in messages]
    return {"conversations": [*turns, {"from": "gpt", "value": _answer(result)}]}


def completion(result: Result, messages: Messages) -> JSONObject:
    """Return ``{"prompt", "completion"}``, the messages joined by empty lines. Raises ``NotTextError``."""
    return {"prompt": "\n\n".join(map(text, messages)), "completion": _answer(result)}


WITH_MESSAGES: Mapping[str, Callable[[Result, Messages], JSONObject]] = {
    "messages": chat,
    "sharegpt": sharegpt,
    "completion": completion,
}
"""The formats that contain the request messages and the answer."""


def _answer(result: Result) -> str:
    if not result.text:
        raise NotTextError
    return result.text


def text(message: Mapping[str, Any]) -> str:
    """Return the text of a message. Raises ``NotTextError`` if it has other parts, such as images."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = [part.get("text") if isinstance(part, dict) else None for part in parts]
    if any(not isinstance(part, str) for part in texts):
        raise NotTextError
    return "".join(map(str, texts))


def openai_batch(result: Result) -> JSONObject:
    """Return one line of an OpenAI Batch output file: a ``chat.completion`` or an error.

    ``error`` is set for requests without an HTTP response; other errors are in ``response``.
    The finish reason is the server's, ``null`` if it has sent none.
    """
    response, error = _response(result), result.error
    return {
        "id": f"batch_req_{result.fingerprint}",
        "custom_id": result.id,
        "response": response,
        "error": None
        if error is None or response is not None
        else {"code": error.code, "message": error.message},
    }


def _response(result: Result) -> JSONObject | None:
    if result.error is None:
        return {"status_code": 200, "request_id": result.fingerprint, "body": _chat_completion(result)}
    if result.error.http_status is None:
        return None
    error = {"message": result.error.message, "type": None, "param": None, "code": result.error.code}
    status = result.error.http_status
    return {"status_code": status, "request_id": result.fingerprint, "body": {"error": error}}


def _chat_completion(result: Result) -> JSONObject:
    message: JSONObject = {"role": "assistant", "content": result.text, "refusal": result.refusal}
    if result.tool_calls:
        message["tool_calls"] = result.tool_calls
    if result.reasoning is not None:
        message["reasoning_content"] = result.reasoning
    choice = {
        "index": 0,
        "message": message,
        "logprobs": result.logprobs,
        "finish_reason": result.finish_reason,
    }
    return {
        "id": f"chatcmpl-{result.fingerprint}",
        "object": "chat.completion",
        "created": int(datetime.fromisoformat(result.completed_at).timestamp()),
        "model": result.served_by or result.model,
        "choices": [choice],
        "usage": _usage(result.usage),
    }


def _usage(usage: Usage | None) -> JSONObject | None:
    """Return the counts if both exist, else ``None``: the format requires both."""
    if usage is None or usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    prompt, answer = usage.prompt_tokens, usage.completion_tokens
    total = usage.total_tokens if usage.total_tokens is not None else prompt + answer
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": total,
        "prompt_tokens_details": {"cached_tokens": told(usage.cached_tokens)},
        "completion_tokens_details": {"reasoning_tokens": told(usage.reasoning_tokens)},
    }
