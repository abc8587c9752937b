"""Run the engine's threads from the event loop: first come, first served."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from batch.local_model.chat import Chat, Ending, Engine


class Inference:
    """Runs an engine in as many threads as it can use; further chats wait in order of arrival."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(engine.parallel, thread_name_prefix="inference")

    async def answer(self, chat: Chat, send: Callable[[str], Awaitable[None]]) -> Ending:
        """Answer a chat, passing each piece of text to ``send``.

        When cancelled, or when ``send`` raises, a waiting chat is dropped and one that is being answered
        stops at its next piece. Raises ``ChatError``.
        """
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        unwanted = threading.Event()

        def on_delta(text: str) -> bool:
            loop.call_soon_threadsafe(pieces.put_nowait, text)
            return not unwanted.is_set()

        job = loop.run_in_executor(self._threads, self._engine.answer, chat, on_delta)
        job.add_done_callback(lambda _: pieces.put_nowait(None))
        try:
            while (piece := await pieces.get()) is not None:
                await send(piece)
            return await job
        finally:
            unwanted.set()
            job.cancel()

    def close(self) -> None:
        """Accept no more chats and drop those that wait."""
        self._threads.shutdown(wait=False, cancel_futures=True)
