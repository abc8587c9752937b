"""Start the embedded endpoint in a process of its own, and end it in any case."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from subprocess import PIPE
from typing import IO, TYPE_CHECKING

import anyio
import anyio.from_thread
import anyio.to_thread
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream

from batch.errors import LocalModelError
from batch.local_model.endpoint import KEY_VARIABLE, Endpoint, decode
from batch.local_model.weights import ensure_weights

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import Process

    from batch.local_model.download import Progress

_PATIENCE = 2.0
"""Seconds from SIGTERM to SIGKILL."""
_MAX_LINE = 64 * 1024
_STDERR_TAIL = 4000
"""Bytes of the child's standard error that are read for an error message."""
_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Makes waiting threads of llama.cpp sleep.

By default libgomp lets them spin, so that one busy neighbor on the machine makes every answer many times
slower.
"""
_BOOT = "import sys; sys.path.append(sys.argv.pop(1)); import batch.local_model.__main__"
"""Runs the child with the same code as this process, even in a checkout that is not installed."""


@asynccontextmanager
async def started(
    engine: str,
    *,
    cache: Path,
    progress: Progress,
    host: str = "127.0.0.1",
    port: int = 0,
    key: str | None = None,
    auth: bool = True,
) -> AsyncIterator[tuple[Endpoint, Process]]:
    """Run the endpoint in this context, and yield it with its process.

    ``engine`` is ``llama``, ``extractive`` or the absolute path of a GGUF file. Missing default weights are
    downloaded into ``cache``; ``progress`` is called in a worker thread. ``key`` is what clients must send;
    without one, the endpoint creates a random one. Raises ``LocalModelError`` if it cannot start. Without
    ``auth`` it requires no key, on a loopback address only.
    """
    arguments = ["--engine", engine, "--host", host, "--port", str(port)]
    if not auth:
        arguments.append("--no-auth")
    if engine == "llama":
        arguments += ["--weights", str(await _weights(cache, progress))]
    with tempfile.TemporaryFile() as stderr:
        try:
            with anyio.CancelScope(shield=True):  # a start that is cancelled would leave the process behind
                process = await anyio.open_process(
                    _command(arguments),
                    stdin=PIPE,  # held open, never written: the child ends with it
                    stdout=PIPE,
                    stderr=stderr,
                    env={**_ENVIRONMENT, **os.environ, KEY_VARIABLE: key or ""},
                )
        except OSError as error:
            raise LocalModelError(f"the embedded endpoint cannot be started: {error}") from error
        try:
            yield await _announced(process, stderr), process
        finally:
            await _end(process)


async def _weights(cache: Path, progress: Progress) -> Path:
    """Return the weights, downloaded in a thread that stops when this task is cancelled."""

    def tick(done: int, total: int) -> None:
        anyio.from_thread.check_cancelled()
        progress(done, total)

    return await anyio.to_thread.run_sync(ensure_weights, cache, tick)


def _command(arguments: list[str]) -> list[str]:
    """Return the child's command line; ``-P`` excludes the modules of the current directory."""
    root = Path(__file__).parent.parent.parent
    return [sys.executable, "-P", "-c", _BOOT, str(root), *arguments]


async def _announced(process: Process, stderr: IO[bytes]) -> Endpoint:
    """Return the endpoint that the child announces. Raises ``LocalModelError`` if it announces none."""
    assert process.stdout is not None  # noqa: S101 (asked for a pipe)
    try:
        line = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", _MAX_LINE)
        output = decode(line)
    except (anyio.IncompleteRead, anyio.DelimiterNotFound, msgspec.DecodeError) as error:
        with anyio.move_on_after(_PATIENCE):
            await process.wait()  # it may still be writing its last output
        raise LocalModelError(_exit_message(process.returncode, stderr)) from error
    if isinstance(output, Endpoint):
        return output
    raise LocalModelError(output)


def _exit_message(code: int | None, stderr: IO[bytes]) -> str:
    stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - _STDERR_TAIL))
    lines = stderr.read().decode(errors="replace").splitlines()[-10:]
    output = "; its last output:\n" + "\n".join(f"  {line}" for line in lines) if lines else ""
    return f"the embedded endpoint ended before it was ready (exit code {code}){output}"


async def _end(process: Process) -> None:
    """End the child and wait for it, even if this task is cancelled."""
    with anyio.CancelScope(shield=True):
        with anyio.move_on_after(_PATIENCE), suppress(ProcessLookupError):
            process.terminate()
            await process.wait()
        with suppress(ProcessLookupError):
            process.kill()
        await process.aclose()
