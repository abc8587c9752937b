"""A small loopback server of both dialects that records its requests."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


class ChatServer:
    """Answers every chat with ``echo: <the last message>``, streamed in words, and keeps what it saw.

    ``key``, where it is set, must be shown; ``before_answer`` is awaited before each answer;
    ``refused`` is the message of a 400 to everything, ``finish_reason`` that of every answer. ``answer``
    makes another answer of the last message.
    """

    def __init__(self, key: str | None = None) -> None:
        self.key = key
        self.seen: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.answered = 0
        self.refused: str | None = None
        self.finish_reason = "stop"
        self.before_answer: Callable[[], Awaitable[None]] | None = None
        self.answer: Callable[[str], str] = "echo: {}".format
        self.url = ""

    @property
    def prompts(self) -> list[str]:
        """The last message of every request that was answered or refused, in order."""
        return [body["messages"][-1]["content"] for body in self.seen]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request of either dialect."""
        body = json.loads(await request.read())
        if isinstance(body["messages"], str):
            body["messages"] = json.loads(base64.b64decode(body["messages"], validate=True))
        self.paths.append(request.path)
        self.seen.append(body)
        if not request.path.startswith(("/api/v1/ai/", "/v1/")):
            return web.json_response({"error": {"message": "no such path"}}, status=404)
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            return web.json_response({"error": {"message": "the key is wrong"}}, status=401)
        if self.refused is not None:
            return web.json_response({"error": {"message": self.refused}}, status=400)
        if self.before_answer is not None:
            await self.before_answer()
        text = self.answer(body["messages"][-1]["content"])
        response = await (_stream(request, text, self.finish_reason) if body["stream"] else _whole(text))
        self.answered += 1
        return response


class Withholding(ChatServer):
    """Answers the first ``answers`` requests, and withholds all other answers until it may answer."""

    def __init__(self, answers: int = 0) -> None:
        super().__init__()
        self.asked = anyio.Event()
        self.may_answer = anyio.Event()
        self.before_answer = self._wait
        self._answers = answers

    async def _wait(self) -> None:
        if len(self.seen) > self._answers:
            self.asked.set()
            await self.may_answer.wait()


@asynccontextmanager
async def serving(server: ChatServer) -> AsyncIterator[ChatServer]:
    """The server on a free port; ``server.url`` is its origin."""
    application = web.Application(client_max_size=2**24)
    application.router.add_post("/{path:.*}", server.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        server.url = f"http://{host}:{port}"
        yield server
    finally:
        await runner.cleanup()


async def _whole(text: str) -> web.Response:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return web.json_response({"model": "echo", "choices": [choice]})


async def _stream(request: web.Request, text: str, reason: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    pieces = [text[start : start + 7] for start in range(0, len(text), 7)]
    for piece in pieces:
        await response.write(_event({"choices": [{"index": 0, "delta": {"content": piece}}]}))
    await response.write(_event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
    usage = {"prompt_tokens": 3, "completion_tokens": len(pieces), "total_tokens": 3 + len(pieces)}
    await response.write(_event({"model": "echo", "choices": [], "usage": usage}))
    await response.write(b"data: [DONE]\n\n")
    return response


def _event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"
