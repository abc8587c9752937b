"""The HTTP server of the embedded endpoint.

::

    POST /api/v1/ai/chat, /api/v1/ai/chat-hermes, …    the AutonomousAI protocol
    POST /v1/chat/completions, GET /v1/models          OpenAI's
    GET  /health                                       the only one without a key

It is made for one user on one machine. Every program and every web page on that machine can reach a loopback
port. So each request needs the key, and the ``Host`` must be a loopback name, which excludes pages that
rebind their DNS name. No answer allows another origin to read it.

It also works without a key, for clients that cannot send one. Then a request must declare a JSON body, which
a page of another site cannot do without a CORS preflight, which is rejected. A request that names another
site as its origin is rejected, too.
"""

from __future__ import annotations

import hmac
import secrets
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web
from yarl import URL

from batch.local_model.chat import ChatError
from batch.local_model.inference import Inference
from batch.local_model.server_dialects import Question, Writer, model_list, read_autonomous, read_openai
from batch.loopback import is_loopback
from batch.wire.dialects.autonomous import MODELS, SITE

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from batch.local_model.chat import Engine
    from batch.records import JSONObject

_MAX_BODY = 16 * 1024 * 1024
_HEALTH = "/health"


def make_app(engine: Engine, key: str | None, *, loopback_only: bool = True) -> web.Application:
    """Return the application that answers with ``engine``; ``key`` is required unless it is ``None``.

    ``loopback_only`` rejects a ``Host`` that is not a loopback name. Run it with
    ``handler_cancellation=True``: then a client that disconnects stops its generation.
    """
    if key is None and not loopback_only:
        raise ValueError("without a key, only requests from this machine are answered")
    who = _no_other_site if key is None else _needs_key(key)
    guards = [_errors_as_json, *([_loopback_host] if loopback_only else []), who]
    app = web.Application(middlewares=guards, client_max_size=_MAX_BODY)
    inference = Inference(engine)
    api = _Api(inference, engine.served_by)
    app.router.add_get(_HEALTH, _health)
    app.router.add_get("/v1/models", api.models)
    app.router.add_post("/v1/chat/completions", api.openai)
    for path in sorted(set(MODELS.values())):
        app.router.add_post(path, api.autonomous)

    async def close(_: web.Application) -> None:
        inference.close()

    app.on_cleanup.append(close)
    return app


class _Api:
    """The handlers of both dialects."""

    def __init__(self, inference: Inference, served_by: str) -> None:
        self._inference = inference
        self._served_by = served_by

    async def autonomous(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, read_autonomous(await request.read(), request.path))

    async def openai(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, read_openai(await request.read(), self._served_by))

    async def models(self, _: web.Request) -> web.Response:
        return _json(model_list(self._served_by))

    async def _answer(self, request: web.Request, question: Question) -> web.StreamResponse:
        writer = Writer(f"chatcmpl-{secrets.token_hex(12)}", int(time.time()), self._served_by)
        if question.stream:
            return await self._stream(request, question, writer)
        pieces: list[str] = []

        async def collect(text: str) -> None:
            pieces.append(text)

        ending = await self._inference.answer(question.chat, collect)
        return _json(writer.whole("".join(pieces), ending, with_delta=question.with_delta))

    async def _stream(self, request: web.Request, question: Question, writer: Writer) -> web.StreamResponse:
        """Stream the answer; the response starts with its first piece, so that a rejection has a status."""
        events = _Events(request)

        async def send(text: str) -> None:
            await events.send(writer.delta(text))

        try:
            ending = await self._inference.answer(question.chat, send)
        except ChatError as error:
            if not events.began:
                raise
            await events.send(error.body())
            return await events.end()
        await events.send(writer.finish(ending))
        if question.with_usage:
            await events.send(writer.usage(ending))
        return await events.end(b"data: [DONE]\n\n")


class _Events:
    """A response of server-sent events, which starts with the first of them."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._response = web.StreamResponse(
            headers={"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store"}
        )

    @property
    def began(self) -> bool:
        return self._response.prepared

    async def send(self, event: JSONObject) -> None:
        if not self.began:
            await self._response.prepare(self._request)
        await self._response.write(b"data: " + msgspec.json.encode(event) + b"\n\n")

    async def end(self, last: bytes = b"") -> web.StreamResponse:
        await self._response.write_eof(last)
        return self._response


async def _health(_: web.Request) -> web.Response:
    return _json({"status": "ok"})


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Report rejections in the form that the clients of both dialects expect."""
    try:
        return await handler(request)
    except ChatError as error:
        return _json(error.body(), error.status)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        refusal = ChatError(error.reason, f"http_{error.status}", error.status)
        return _json(refusal.body(), error.status)


@web.middleware
async def _loopback_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Reject a ``Host`` that is not this machine: DNS rebinding by a web page."""
    if not is_loopback(_host_name(request.headers.get("host", ""))):
        raise ChatError("this endpoint accepts only loopback host names", "forbidden_host", 403)
    return await handler(request)


@web.middleware
async def _no_other_site(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Reject what a page of another site could send: there is no key to prevent it.

    The original client of the AutonomousAI protocol is not a page, but sends the origin of its site.
    """
    where = request.headers.get("origin")
    if where is not None and where != SITE and not _is_here(where):
        raise ChatError("requests from other sites are rejected", "forbidden_origin", 403)
    if request.method == "POST" and request.content_type != "application/json":
        raise ChatError("the content type must be application/json", "unsupported_media_type", 415)
    return await handler(request)


def _is_here(where: str) -> bool:
    try:
        return is_loopback(URL(where).host or "")
    except ValueError:
        return False


def _host_name(host: str) -> str:
    try:
        return URL.build(scheme="http", authority=host).host or ""
    except ValueError:
        return ""


def _needs_key(key: str) -> Middleware:
    expected = f"Bearer {key}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("authorization", "").encode(errors="surrogateescape")
        if request.path != _HEALTH and not hmac.compare_digest(given, expected):
            raise ChatError("missing or invalid key", "invalid_api_key", 401)
        return await handler(request)

    return check


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")
