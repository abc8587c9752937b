"""How many connections this process can have, and still open a file beside them."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from batch.errors import UsageError

if sys.platform != "win32":
    import resource

RESERVE = 16
"""Descriptors that are left for the results, the lock and the resolver."""


NEEDED = RESERVE + 4
"""Descriptors that a run needs beside those that are open: its event loop's own, and one connection."""

_OFTEN_ALLOWED = 10240
"""What macOS allows where it says that there is no limit."""


def raise_limit() -> None:
    """Raise this process's limit of open files as far as it may; for a process of our own."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wished in (hard, _OFTEN_ALLOWED):
        if soft == hard or (soft != resource.RLIM_INFINITY and wished != hard and soft >= wished):
            return
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wished, hard))
            return


def check_limit() -> None:
    """Raise ``UsageError`` where this process may open too few files for any run."""
    if sys.platform == "win32":
        return
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return
    needed = _open_now() + NEEDED
    if limit < needed:
        raise UsageError(
            f"the open-file limit is {limit}, and at least {needed} are needed; raise it, see `ulimit -n`"
        )


def connections(wished: int) -> int:
    """As many as wished, as far as the process's limit of open files goes; at least one."""
    if sys.platform == "win32":
        return wished
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return wished
    return max(1, min(wished, limit - _open_now() - RESERVE))


def _open_now() -> int:
    return len(os.listdir("/dev/fd"))
