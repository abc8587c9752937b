"""Commands on a pseudo-terminal."""

from __future__ import annotations

import os
import subprocess
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def on_terminal(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], *, columns: int
) -> tuple[int, str]:
    """Run a command to its end on a terminal of this width; return its exit code and what it wrote there."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    with subprocess.Popen(arguments, cwd=folder, env=environment, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = read_to_end(ours)
    os.close(ours)
    return process.returncode, shown.decode()


def read_to_end(terminal: int) -> bytes:
    """Return what is written to a terminal until all programs on its other side have closed it."""
    shown = b""
    try:
        while piece := os.read(terminal, 65536):
            shown += piece
    except OSError:  # Linux says EIO where the other side has been closed
        pass
    return shown
