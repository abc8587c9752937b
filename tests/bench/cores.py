"""One core for the client, another for the server, where the machine has two."""

from __future__ import annotations

import os
import sys


def cores() -> tuple[int | None, int | None]:
    """The client's core and the server's; none where pinning is not possible."""
    if sys.platform != "linux":
        return None, None
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else (None, None)


def pinned(core: int | None) -> list[str]:
    """The start of a command line that keeps a program on a core."""
    return [] if core is None else ["taskset", "-c", str(core)]
