"""From the event loop to the engine's threads and back: first come, first served."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from batch.local_model.chat import Chat, Ending, Engine


class Inference:
    """Runs an engine in as many threads as it can use; further chats wait in the order they came."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(engine.parallel, thread_name_prefix="inference")

    async def answer(self, chat: Chat, send: Callable[[str], Awaitable[None]]) -> Ending:
        """Answer a chat, with each piece of text handed to ``send`` as it comes.

        When cancelled, or when ``send`` raises, a chat that waits is dropped and one that is being
        answered stops at its next piece. Raises ``ChatError``.
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
        """Take no more chats and drop those that wait."""
        self._threads.shutdown(wait=False, cancel_futures=True)
