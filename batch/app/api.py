"""The library's functions: run a job from Python, with the guarantees of the command, without printing."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, TypedDict

import anyio

from batch.app.run.execute import execute
from batch.app.run.options import RunOptions
from batch.app.setup.environment import Environment
from batch.app.setup.load_job import Job, load_job
from batch.events import ResultsDurable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Unpack

    from batch.events import Event
    from batch.records import Result, Summary


class Options(TypedDict, total=False):
    """Options of a call; they do the same as the command's flags of the same names.

    ``settings`` is a YAML file for a JSONL job. ``overrides`` are dotted keys that replace those in the file.
    ``allow`` are further directories that paths may point into. ``limit`` is the maximum number of requests
    to send, ``max_duration`` is in seconds. ``adopt`` takes over an output that another job file wrote.
    """

    settings: str | Path | None
    overrides: Mapping[str, object] | None
    allow: Sequence[str | Path]
    limit: int | None
    max_duration: float | None
    fail_fast: bool
    durability: Literal["fsync", "flush"]
    prune: bool
    adopt: bool


def run(job: Job, **options: Unpack[Options]) -> Summary:
    """Run a job to its end and return its summary.

    ``job`` is a path, a mapping with the keys of a job file (its paths are relative to the current
    directory), or a loaded ``JobFile``; for ``options`` see ``Options``. A run that ends early raises
    nothing: see the summary's ``exit_code`` and ``reasons``. Raises ``JobFileError`` and related errors
    before anything is sent, ``OutputLockedError`` if another run holds the output, and ``OutputWriteError``
    if results cannot be written. Do not call it from a running event loop.
    """
    return anyio.run(lambda: arun(job, **options))


async def arun(  # noqa: PLR0913 - explicit keywords, so that a misspelled one is an error
    job: Job,
    *,
    on_result: Callable[[Result], None] | None = None,
    settings: str | Path | None = None,
    overrides: Mapping[str, object] | None = None,
    allow: Sequence[str | Path] = (),
    limit: int | None = None,
    max_duration: float | None = None,
    fail_fast: bool = False,
    durability: Literal["fsync", "flush"] = "fsync",
    prune: bool = False,
    adopt: bool = False,
) -> Summary:
    """Run a job in a running event loop (asyncio's or uvloop's).

    ``on_result`` is called with each result once it is durable; it must return quickly. An exception that it
    raises does not end the run; the first is logged.
    """
    loaded = load_job(job, settings=settings, overrides=overrides, allow=allow)
    options = RunOptions(limit, max_duration, fail_fast, durability, prune=prune, adopt=adopt)
    observers = () if on_result is None else (_OnResult(on_result),)
    return await execute(loaded, Environment.current(), observers, options)


class _OnResult:
    """An observer that only passes each durable result to a function."""

    def __init__(self, on_result: Callable[[Result], None]) -> None:
        self._on_result = on_result

    def observe(self, event: Event) -> None:
        if isinstance(event, ResultsDurable):
            for result in event.results:
                self._on_result(result)


async def stream(job: Job, **options: Unpack[Options]) -> AsyncGenerator[Result, None]:
    """Run a job and yield each result once it is durable; results of earlier runs are not repeated.

    The run does not wait for a slow reader. Leaving the loop early stops the run immediately, like a second
    signal: requests in flight stay pending. Raises what ``arun`` raises.
    """
    send, receive = anyio.create_memory_object_stream["Result"](math.inf)

    async def work() -> None:
        with send:
            await arun(job, on_result=send.send_nowait, **options)

    task = asyncio.create_task(work())
    try:
        async for result in receive:
            yield result
        await task
    finally:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])  # it still delivers finished results
        receive.close()
        with suppress(asyncio.CancelledError):  # the cancellation of the run that was requested above
            task.result()
