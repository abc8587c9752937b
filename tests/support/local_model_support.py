"""Shared helpers for tests of the embedded endpoint: a server on loopback and engines behind it."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web

from batch.local_model.chat import Chat, Ending, OnDelta
from batch.local_model.server import make_app
from batch.records import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from batch.local_model.chat import Engine

KEY = "correct-horse"
AUTHORIZED = {"authorization": f"Bearer {KEY}"}


@asynccontextmanager
async def served(engine: Engine, *, loopback_only: bool = True) -> AsyncIterator[str]:
    """The base URL of a server with this engine."""
    app = make_app(engine, KEY, loopback_only=loopback_only)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client(engine: Engine, *, loopback_only: bool = True) -> AsyncIterator[aiohttp.ClientSession]:
    """A client with the key, for a server with this engine."""
    async with (
        served(engine, loopback_only=loopback_only) as base_url,
        aiohttp.ClientSession(base_url, headers=AUTHORIZED) as session,
    ):
        yield session


class TalkativeEngine:
    """Sends "again" until the client disconnects."""

    name = "talkative"
    served_by = "talkative"

    def __init__(self, parallel: int = 1) -> None:
        self.parallel = parallel
        self.began = threading.Event()
        self.stopped = threading.Event()

    def answer(self, chat: Chat, on_delta: OnDelta) -> Ending:
        self.began.set()
        while on_delta("again "):
            # A pause, as a real engine makes; without it the event loop drowns in pieces.
            self.stopped.wait(0.001)
        self.stopped.set()
        return Ending("stop", Usage())
