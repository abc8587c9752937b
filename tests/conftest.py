"""What all tests share: one backend, and the real command in a home of its own."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import settings

from tests.support import campaigns

if TYPE_CHECKING:
    from collections.abc import Mapping

pytest_plugins = ["tests.support.cli_support", "tests.support.transport_paths"]

settings.register_profile("patient", deadline=None)  # how long an example takes says more of the machine
settings.load_profile("patient")

for _name in campaigns.foreign(os.environ):
    del os.environ[_name]

CACHE = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
"""The user's own cache, so that the tests fetch the model's weights no oftener than the user does."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def summary(self) -> dict[str, Any]:
        """What ``--json`` printed."""
        summary: dict[str, Any] = json.loads(self.stdout)
        return summary


class Command:
    """``promptjobs``, run as a process in ``folder`` with a home of its own."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.environment = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "PYTHONWARNINGS": "error",
            "XDG_CACHE_HOME": CACHE,
        }

    def arguments(self, *arguments: str) -> list[str]:
        """The argument list of a process."""
        return [sys.executable, "-m", "batch", *arguments]

    async def __call__(self, *arguments: str, env: Mapping[str, str] | None = None) -> Ended:
        """Run to the end, within a minute."""
        with anyio.fail_after(60):
            process = await anyio.run_process(
                self.arguments(*arguments),
                cwd=self.folder,
                env={**self.environment, **(env or {})},
                check=False,
            )
        return Ended(process.returncode, process.stdout.decode(), process.stderr.decode())


@pytest.fixture
def promptjobs(tmp_path: Path) -> Command:
    home = tmp_path / "home"
    home.mkdir()
    return Command(tmp_path, home)


@pytest.fixture(scope="session", autouse=True)
def _hangups_reach_children() -> None:
    """Under ``nohup`` SIGHUP is ignored; the processes that tests start would inherit that and never end."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
