"""Reads a few requests at once, which costs less than reading them one at a time.

Reading a request runs through a lot of code, and so does sending it. If the two take turns, each finds that
the other's code and data have taken its place in the processor's caches.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch.records import Request

AHEAD = 16
"""Maximum number of requests that are read at once."""

PAUSE = 0.001
"""Seconds after which no more requests are read at once: a document may take long."""


def read_ahead(
    requests: Iterator[Request | None], clock: Callable[[], float] = perf_counter
) -> Iterator[Request | None]:
    """Yield what ``requests`` yields; what is read at once ends at ``None``, which lets other tasks run.

    An exception is raised after the requests that were read before it.
    """
    error: Exception | None = None
    has_ended = False
    while not has_ended:
        read: list[Request | None] = []
        began = clock()
        try:
            for request in requests:
                read.append(request)
                if request is None or len(read) == AHEAD or clock() - began >= PAUSE:
                    break
            else:
                has_ended = True
        except Exception as raised:  # noqa: BLE001 - it is raised below
            error, has_ended = raised, True
        yield from read
    if error is not None:
        raise error
