"""The number of connections that this process can open, with files left over."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from batch.errors import UsageError

if sys.platform != "win32":
    import resource

RESERVE = 16
"""Descriptors that are reserved for the results, the lock and the resolver."""


NEEDED = RESERVE + 4
"""Descriptors that a run needs in addition to the open ones: its event loop's, and one connection."""

_OFTEN_ALLOWED = 10240
"""What macOS allows although it reports no limit."""


def raise_limit() -> None:
    """Raise this process's open-file limit as far as allowed; for a process of our own."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for requested in (hard, _OFTEN_ALLOWED):
        if soft == hard or (soft != resource.RLIM_INFINITY and requested != hard and soft >= requested):
            return
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (requested, hard))
            return


def check_limit() -> None:
    """Raise ``UsageError`` if the open-file limit is too low for any run."""
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


def connections(requested: int) -> int:
    """Return ``requested``, or fewer if the open-file limit requires that; at least one."""
    if sys.platform == "win32":
        return requested
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return requested
    return max(1, min(requested, limit - _open_now() - RESERVE))


def _open_now() -> int:
    return len(os.listdir("/dev/fd"))
