"""Runs in separate processes that are killed on command, and the results that they acknowledged before.

The processes are forked from one that has imported everything, so that no life has to start Python. A run
acknowledges results through a pipe of its own: ``on_result`` writes the id there, and no code under test is
involved.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import anyio
import anyio.to_thread

from batch.app.api import arun
from batch.app.run.output_claim import owner_of
from batch.app.setup.load_job import load_job
from batch.codec import decode_result
from batch.results.filesystem import Disk
from batch.results.output_owner import read_owner, write_owner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.connection import Connection
    from pathlib import Path
    from typing import Unpack

    from batch.app.call_options import OptionKeywords
    from batch.records import Result

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["pytest", "uvloop", "batch.app.run.execute", "tests.support.kill_support"])

CHANGING = (
    "make_directories",
    "open_append",
    "create",
    "write",
    "sync",
    "truncate",
    "replace",
    "remove",
    "sync_directory",
)
"""The operations of ``FileSystem`` that change something or wait for the disk."""


class Life:
    """One run of a job in a process of its own; an async context manager that leaves no process behind.

    ``dies_at``: it dies before its n-th operation on the disk, or after that where this is n + ½, or in the
    midst of it where that is a write. ``options`` are those of ``batch.run``.
    """

    def __init__(self, job: Path, dies_at: float | None = None, **options: Unpack[OptionKeywords]) -> None:
        self._acknowledged, theirs = _context.Pipe(duplex=False)
        arguments = (job, theirs, dies_at, options)
        self._process = _context.Process(target=_live, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.kill()
        await self.ended()
        self._acknowledged.close()

    def kill(self) -> None:
        """SIGKILL; harmless after the end."""
        self._process.kill()

    async def ended(self) -> int:
        """Wait for the end: the exit code of the run, or the negative number of the signal that ended it."""
        await anyio.to_thread.run_sync(self._process.join)
        assert self._process.exitcode is not None
        return self._process.exitcode

    def acknowledged(self) -> list[str]:
        """The ids of all results that the run had called durable, after its end."""
        said = b""
        while piece := os.read(self._acknowledged.fileno(), 1 << 16):
            said += piece
        return said.decode().split()


def _live(job: Path, acknowledged: Connection, dies_at: float | None, options: OptionKeywords) -> None:
    """The process: run the job, and say of each result that it is durable."""
    if dies_at is not None:
        _make_mortal(dies_at)
    os.environ["HOME"] = str(job.parent)

    def acknowledge(result: Result) -> None:
        os.write(acknowledged.fileno(), f"{result.id}\n".encode())

    summary = anyio.run(partial(arun, job, on_result=acknowledge, **options))
    raise SystemExit(summary.exit_code)


def _make_mortal(dies_at: float) -> None:
    """Let this process die at an operation on the disk; see ``Life``."""
    operations = 0

    def mortal(name: str, operation: Callable[..., Any]) -> Callable[..., Any]:
        def operate(disk: Disk, *arguments: Any, **more: Any) -> Any:
            nonlocal operations
            operations += 1
            if operations == int(dies_at):
                if dies_at % 1 and name == "write":
                    descriptor, data = arguments
                    os.write(descriptor, data[: len(data) // 2])
                elif dies_at % 1:
                    operation(disk, *arguments, **more)
                os.kill(os.getpid(), signal.SIGKILL)
            return operation(disk, *arguments, **more)

        return operate

    for name in CHANGING:
        setattr(Disk, name, mortal(name, getattr(Disk, name)))


def written_by_another(job: Path) -> Path:
    """Another job file, which has written the output of ``job``."""
    other = job.with_name("other.yaml")
    other.write_bytes(job.read_bytes())
    output = job.parent / "output" / "job.jsonl"
    write_owner(output, owner_of(load_job(other, overrides={"output.path": str(output)})))
    return other


def owner(job: Path) -> str | None:
    """The job file that the output's record names; fails where there is no whole record."""
    found = read_owner(job.parent / "output" / "job.jsonl")
    assert found is not None
    return found.real


def whole_lines(output: Path) -> list[Result]:
    """Return the results in an output file without a partial last line; other lines must be results."""
    if not output.exists():
        return []
    *lines, _partial = output.read_bytes().split(b"\n")
    return [decode_result(line) for line in lines]


def check_echoes(output: Path, prompts: Mapping[str, str]) -> None:
    """Each request has one line, with the echo of its prompt; ``prompts`` are by id."""
    results = whole_lines(output)
    assert sorted(result.id for result in results) == sorted(prompts)
    assert all(result.text == f"echo: {prompts[result.id]}" for result in results)
