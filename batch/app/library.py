"""The library's calls: run a job from Python, with the promises of the command and without printing."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio

from batch.app.environment import Environment
from batch.app.execute import RunOptions, execute
from batch.app.jobs import Job, load_job
from batch.app.quiet import QuietReporter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from batch.records import Result, Summary


def run(job: Job, **options: Any) -> Summary:
    """Run a job to its end and return what it came to.

    ``job`` is a path, a mapping with the keys of a job file (its paths are relative to the current
    directory), or a loaded ``JobFile``. Options: ``settings`` (a YAML file for a JSONL job), ``overrides``
    (dotted keys in place of those written), ``allow`` (further trees that paths may lead into), ``limit``,
    ``max_duration`` (seconds), ``fail_fast``, ``durability``. A run that ends early is no exception: see the
    summary's ``exit_code`` and ``reasons``. Raises ``JobFileError`` and its relatives before anything is
    sent, ``OutputWriteError`` where results can't be written. Not to be called from a running event loop.
    """
    return anyio.run(lambda: arun(job, **options))


async def arun(job: Job, *, on_result: Callable[[Result], None] | None = None, **options: Any) -> Summary:
    """The same in a running event loop. ``on_result`` is called with each result once it is durable."""
    loading = {name: options.pop(name) for name in ("settings", "overrides", "allow") if name in options}
    loaded = load_job(job, **loading)
    reporter = QuietReporter(on_result or (lambda _: None))
    return await execute(loaded, Environment.current(), reporter, RunOptions(**options))


async def stream(job: Job, **options: Any) -> AsyncIterator[Result]:
    """Run a job and yield each result once it is durable; results of earlier runs are not repeated.

    The run does not wait for a slow reader. Leaving the loop early stops the run as a signal would at
    once: what is under way stays pending. Raises what ``arun`` raises.
    """
    send, receive = anyio.create_memory_object_stream["Result"](math.inf)

    async def work() -> None:
        with send:
            await arun(job, on_result=send.send_nowait, **options)

    task = asyncio.ensure_future(work())
    try:
        with receive:
            async for result in receive:
                yield result
        await task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
