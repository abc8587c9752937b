"""How many connections this process can have, and still open a file beside them."""

from __future__ import annotations

import os
import sys

if sys.platform != "win32":
    import resource

RESERVE = 16
"""Descriptors that are left for the results, the lock and the resolver."""


def connections(wished: int) -> int:
    """As many as wished, as far as the process's limit of open files goes; at least one."""
    if sys.platform == "win32":
        return wished
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return wished
    return max(1, min(wished, limit - len(os.listdir("/dev/fd")) - RESERVE))
