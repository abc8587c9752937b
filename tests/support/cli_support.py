"""The command inside this process, which starts in no time, and on a terminal, which is a real one."""

from __future__ import annotations

import gc
import os
import sys
import termios
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread
import pytest
from anyio.from_thread import start_blocking_portal

from batch.cli import main
from tests.conftest import Ended
from tests.support.chat_server import ChatServer, serving
from tests.support.terminal import read_to_end

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from pathlib import Path

    from tests.conftest import Command

T = TypeVar("T")


class Cli:
    """Calls ``main`` as the command's script does, in ``folder`` with a home of its own."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str, **env: str) -> Ended:
        """Run to the end."""
        with self._monkeypatch.context() as patch:
            patch.chdir(self.folder)
            patch.setattr(sys, "argv", ["promptjobs", *arguments])
            patch.setattr(os, "_exit", sys.exit)  # a stopped command ends its process at once
            for name in [name for name in os.environ if _is_of_the_user(name)]:
                patch.delenv(name)
            for name, value in {"HOME": str(self.folder / "home"), **env}.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended, _own_collector():
                main()
        stdout, stderr = self._capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, stdout, stderr)


def _is_of_the_user(name: str) -> bool:
    return name.startswith(("PROMPTJOBS_", "XDG_CONFIG")) or name.lower().endswith("_proxy")


@contextmanager
def _own_collector() -> Iterator[None]:
    """The command tunes the garbage collector of its process, which here is not its own."""
    before = gc.get_threshold()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


@contextmanager
def in_thread(server: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """A server in a thread of its own, for tests without a loop."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(server) as running:
        yield running


def served(server: ChatServer) -> AbstractContextManager[ChatServer]:
    """The server in a thread of its own."""
    return in_thread(serving(server))


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command inside this process, in the test's own folder."""
    return Cli(tmp_path, monkeypatch, capsys)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    """A chat server with default settings."""
    with served(ChatServer()) as running:
        yield running


async def on_terminal(command: Command, *arguments: str, env: Mapping[str, str]) -> Ended:
    """Run as a process whose standard error is a terminal; ``stderr`` is what that was sent."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (40, 200))
    try:
        with anyio.fail_after(60):
            async with await anyio.open_process(
                command.arguments(*arguments),
                cwd=command.folder,
                env={**command.environment, "TERM": "xterm", **env},
                stderr=theirs,
            ) as process:
                os.close(theirs)
                shown = await anyio.to_thread.run_sync(read_to_end, ours)
                code = await process.wait()
        return Ended(code, "", shown.decode())
    finally:
        os.close(ours)
