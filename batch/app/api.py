"""The library's calls: run a job from Python, with the promises of the command and without printing."""

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
    """What a call may say besides the job; the command's flags of the same names do the same.

    ``settings`` is a YAML file for a JSONL job, ``overrides`` are dotted keys in place of those written,
    ``allow`` further trees that paths may lead into. ``limit`` is the number of requests to send at most,
    ``max_duration`` is in seconds. ``adopt`` takes over an output that another job file wrote.
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
    """Run a job to its end and return what it came to.

    ``job`` is a path, a mapping with the keys of a job file (its paths are relative to the current
    directory), or a loaded ``JobFile``; for ``options`` see ``Options``. A run that ends early is no
    exception: see the summary's ``exit_code`` and ``reasons``. Raises ``JobFileError`` and its relatives
    before anything is sent, ``OutputLockedError`` where another run holds the output, and
    ``OutputWriteError`` where results can't be written. Not to be called from a running event loop.
    """
    return anyio.run(lambda: arun(job, **options))


async def arun(  # noqa: PLR0913 - what ``Options`` holds, so that a misspelt one is an error
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
    """The same in a running event loop (asyncio's or uvloop's).

    ``on_result`` is called with each result once it is durable; it must return at once. What it raises ends
    no run: the first exception is left in the output's log.
    """
    loaded = load_job(job, settings=settings, overrides=overrides, allow=allow)
    options = RunOptions(limit, max_duration, fail_fast, durability, prune=prune, adopt=adopt)
    observers = () if on_result is None else (_OnResult(on_result),)
    return await execute(loaded, Environment.current(), observers, options)


class _OnResult:
    """An observer that passes each durable result to a function, and nothing else."""

    def __init__(self, on_result: Callable[[Result], None]) -> None:
        self._on_result = on_result

    def observe(self, event: Event) -> None:
        if isinstance(event, ResultsDurable):
            for result in event.results:
                self._on_result(result)


async def stream(job: Job, **options: Unpack[Options]) -> AsyncGenerator[Result, None]:
    """Run a job and yield each result once it is durable; results of earlier runs are not repeated.

    The run does not wait for a slow reader. Leaving the loop early stops the run as a second signal would,
    at once: what is under way stays pending. Raises what ``arun`` raises.
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
            await asyncio.wait([task])  # it still hands over what had finished
        receive.close()
        with suppress(asyncio.CancelledError):  # the run's own, which has just been asked for
            task.result()
