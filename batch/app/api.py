"""The library's functions: run a job from Python, with the guarantees of the command.

They print nothing, unless the option ``progress`` asks for a bar.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import closing, nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from batch.app.call_options import Options
from batch.app.finished_results import FinishedResults
from batch.app.run.execute import execute
from batch.app.run.options import RayNames, RunOptions, ray_options
from batch.app.setup.environment import Environment
from batch.app.setup.load_job import Job, load_job
from batch.cancellation import is_stray
from batch.events import ResultsDurable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from typing import Unpack

    from batch.app.call_options import OptionKeywords
    from batch.events import Event
    from batch.progress.bar import BarReporter
    from batch.records import Result
    from batch.run_summary import Summary


def run(job: Job, options: Options | None = None, **keywords: Unpack[OptionKeywords]) -> Summary:
    """Run a job to its end and return its summary.

    ``job`` is a path, a mapping with the keys of a job file (its paths are relative to the current
    directory), or a loaded ``JobFile``. ``keywords`` are options, too, and replace those in ``options``; see
    ``Options``. A run that ends early raises nothing: see the summary's ``exit_code`` and ``reasons``.

    Raises ``JobFileError`` and related errors before anything is sent, ``OutputLockedError`` if another run
    holds the output, and ``OutputWriteError`` if results cannot be written. An interrupt stops the run
    immediately: finished results are written, requests in flight stay pending, and a ``KeyboardInterrupt``
    says in one sentence how to resume. Raises ``RuntimeError`` in a running event loop, such as that of a
    notebook: use ``await arun(...)`` there.
    """
    if _has_running_loop():
        raise RuntimeError(
            "`batch.run` cannot be called in a running event loop, such as that of a notebook; "
            "use `await batch.arun(...)` with the same arguments"
        )
    merged, finished = _merged(options, keywords), FinishedResults()
    try:
        return anyio.run(lambda: _run(job, merged, finished))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(finished.interrupted()) from None  # instead of the frames of the event loop


async def arun(
    job: Job,
    options: Options | None = None,
    *,
    on_result: Callable[[Result], None] | None = None,
    **keywords: Unpack[OptionKeywords],
) -> Summary:
    """Run a job in a running event loop (asyncio's or uvloop's), such as that of a notebook.

    Takes and raises what ``run`` does. ``on_result`` is called with each result once it is durable; it must
    return quickly. An exception that it raises does not end the run; the first is logged. A cancellation, as
    by interrupting the cell of a notebook, stops the run as an interrupt does; the message of the
    ``CancelledError`` says how to resume.
    """
    return await _run(job, _merged(options, keywords), FinishedResults(), on_result)


async def _run(
    job: Job,
    options: Options,
    finished: FinishedResults,
    on_result: Callable[[Result], None] | None = None,
) -> Summary:
    loaded = load_job(job, settings=options.settings, overrides=options.overrides, allow=options.allow)
    finished.output = loaded.output
    run_options = RunOptions(
        options.limit,
        options.max_duration,
        options.fail_fast,
        options.durability,
        prune=options.prune,
        adopt=options.adopt,
        processes=options.processes,
        ray=ray_options(
            options.executor,
            options.workers,
            options.processes,
            sends_keys=options.send_keys,
            names=RayNames('executor="ray"', "workers", "workers=N", "send_keys", "processes"),
        ),
    )
    listeners = () if on_result is None else (_OnResult(on_result),)
    reporter = _reporter() if options.progress else None
    try:
        with nullcontext() if reporter is None else closing(reporter):
            observers = (finished, *listeners, *(() if reporter is None else (reporter,)))
            return await execute(loaded, Environment.current(), observers, run_options)
    except asyncio.CancelledError as error:
        raise _interruption(error, finished) from None


def _merged(options: Options | None, keywords: OptionKeywords) -> Options:
    """Return the options of a call. Raises ``TypeError`` for an unknown keyword."""
    return replace(options or Options(), **keywords)


def _has_running_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _reporter() -> BarReporter | None:
    from batch.progress.environment_bar import bar_for_environment  # noqa: PLC0415 - few calls need tqdm

    return bar_for_environment()


def _interruption(error: asyncio.CancelledError, finished: FinishedResults) -> asyncio.CancelledError:
    """Return the error of a cancelled call: one that says how to resume, without the frames of the engine.

    A cancelled scope of anyio has to get its own error back. A stray cancellation interrupts nothing.
    """
    is_scope_cancelled = anyio.current_effective_deadline() == -math.inf
    return error if is_scope_cancelled or is_stray() else asyncio.CancelledError(finished.interrupted())


class _OnResult:
    """An observer that only passes each durable result to a function."""

    def __init__(self, on_result: Callable[[Result], None]) -> None:
        self._on_result = on_result

    def observe(self, event: Event) -> None:
        if isinstance(event, ResultsDurable):
            for result in event.results:
                self._on_result(result)


async def stream(
    job: Job, options: Options | None = None, **keywords: Unpack[OptionKeywords]
) -> AsyncGenerator[Result, None]:
    """Run a job and yield each result once it is durable; results of earlier runs are not repeated.

    The run does not wait for a slow reader. Leaving the loop early stops the run immediately, like a second
    signal: requests in flight stay pending. Takes and raises what ``arun`` does.
    """
    merged, finished = _merged(options, keywords), FinishedResults()
    send, receive = anyio.create_memory_object_stream["Result"](math.inf)

    async def work() -> None:
        with send:
            await _run(job, merged, finished, send.send_nowait)

    task = asyncio.create_task(work())
    try:
        with receive:
            try:
                async for result in receive:
                    yield result
                await task
            finally:
                await _stop(task)
    except asyncio.CancelledError as error:
        raise _interruption(error, finished) from None


async def _stop(task: asyncio.Task[None]) -> None:
    """Cancel a run and wait for its end: it still delivers finished results. Raises its error, if any."""
    task.cancel()
    with anyio.CancelScope(shield=True):
        await asyncio.wait([task])
    with suppress(asyncio.CancelledError):  # the cancellation that was requested above
        task.result()
