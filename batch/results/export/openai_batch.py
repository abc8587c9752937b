"""Export as the lines of an OpenAI Batch output file."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO

from batch.results.export.json_rows import json_lines
from batch.results.export.result_columns import reported

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from batch.records import JSONObject, Result, Usage
    from batch.results.export.protocol import Answer, Layout, Write

NAME = "openai-batch"
NEEDS_MESSAGES = False
TAKES: frozenset[str] = frozenset()


def row(answer: Answer) -> JSONObject:
    """Return one line: a ``chat.completion`` or an error.

    ``error`` is for requests that no HTTP response answered; another has its error in ``response``.
    The finish reason is the server's own, ``null`` where it has sent none.
    """
    result = answer.result
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
        "prompt_tokens_details": {"cached_tokens": reported(usage.cached_tokens)},
        "completion_tokens_details": {"reasoning_tokens": reported(usage.reasoning_tokens)},
    }


def writer(stream: BinaryIO, layout: Layout) -> AbstractContextManager[Write]:  # noqa: ARG001
    """Yield a function that writes one answer. The format has no options."""
    return json_lines(stream, row)
