"""Starts the embedded endpoint in a process of its own, and ends it, whatever happens between."""

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
_LAST_WORDS = 4000
"""Bytes of the child's standard error that are read for an error message."""
_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Threads of llama.cpp that wait for each other sleep: where they spin instead, as is libgomp's habit, one
busy neighbour on the machine makes every answer many times slower."""
_BOOT = "import sys; sys.path.append(sys.argv.pop(1)); import batch.local_model.__main__"
"""Runs the child with the code that runs here, found even in a checkout that is not installed."""


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
    """A running endpoint, and its process for those who must know when it ends.

    ``engine`` is ``llama``, ``extractive`` or the absolute path of a GGUF file. The default weights are
    fetched into ``cache`` where they are missing; ``progress`` hears of it in a worker thread. ``key`` is
    what clients must show; without one, the endpoint makes a random one. Raises ``LocalModelError`` where
    it cannot start. Without ``auth`` it asks for no key, on a loopback address only.
    """
    arguments = ["--engine", engine, "--host", host, "--port", str(port)]
    if not auth:
        arguments.append("--no-auth")
    if engine == "llama":
        arguments += ["--weights", str(await _weights(cache, progress))]
    with tempfile.TemporaryFile() as stderr:
        try:
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
    """The weights, fetched in a thread that gives up when this task is cancelled."""

    def tick(done: int, total: int) -> None:
        anyio.from_thread.check_cancelled()
        progress(done, total)

    return await anyio.to_thread.run_sync(ensure_weights, cache, tick)


def _command(arguments: list[str]) -> list[str]:
    """The child's command line; ``-P`` keeps the modules of the current directory out of it."""
    root = Path(__file__).parent.parent.parent
    return [sys.executable, "-P", "-c", _BOOT, str(root), *arguments]


async def _announced(process: Process, stderr: IO[bytes]) -> Endpoint:
    """The endpoint that the child announces. Raises ``LocalModelError`` if it announces none."""
    assert process.stdout is not None  # noqa: S101 (asked for a pipe)
    try:
        line = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", _MAX_LINE)
        said = decode(line)
    except (anyio.IncompleteRead, anyio.DelimiterNotFound, msgspec.DecodeError) as error:
        with anyio.move_on_after(_PATIENCE):
            await process.wait()  # it may still be writing its last words
        raise LocalModelError(_death_notice(process.returncode, stderr)) from error
    if isinstance(said, Endpoint):
        return said
    raise LocalModelError(said)


def _death_notice(code: int | None, stderr: IO[bytes]) -> str:
    stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - _LAST_WORDS))
    lines = stderr.read().decode(errors="replace").splitlines()[-10:]
    said = "; its last words:\n" + "\n".join(f"  {line}" for line in lines) if lines else ""
    return f"the embedded endpoint ended before it was ready (exit code {code}){said}"


async def _end(process: Process) -> None:
    """End the child and wait for it, even where this task is cancelled."""
    with anyio.CancelScope(shield=True):
        with anyio.move_on_after(_PATIENCE), suppress(ProcessLookupError):
            process.terminate()
            await process.wait()
        with suppress(ProcessLookupError):
            process.kill()
        await process.aclose()
