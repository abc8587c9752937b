"""The checking process: reads tasks from standard input, one after the other, until its end.

It sets its own limits. The kernel kills it after too much CPU time, even if Python cannot run or the parent
process is gone.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from batch.checking.messages import MEMORY, SECONDS, CheckRequest, CheckResult, unfinished
from batch.errors import one_line
from batch.structured_output import Invalid, format_problem, parsed

if TYPE_CHECKING:
    from typing import BinaryIO

if sys.platform != "win32":
    import resource


GC_THRESHOLD = 50_000
"""Number of new objects after which a garbage collection runs between two tasks."""


def main() -> None:
    """Serve the parent process until it closes the pipe."""
    _limit()
    gc.disable()  # it would scan a huge answer repeatedly while that is decoded
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output of a library is not a reply
    while (task := _next(requests)) is not None:
        _set_timer(SECONDS)
        reply = msgspec.json.encode(_checked(task))
        _set_timer(0)
        replies.write(len(reply).to_bytes(8, "big") + reply)
        replies.flush()
        if gc.get_count()[0] > GC_THRESHOLD:
            gc.collect()


def _next(requests: BinaryIO) -> CheckRequest | None:
    length = int.from_bytes(requests.read(8), "big")
    data = requests.read(length)
    return msgspec.msgpack.decode(data, type=CheckRequest) if data else None


def _checked(task: CheckRequest) -> CheckResult:
    """Return the result; an exception becomes a result, and the next task is served."""
    try:
        response_format = msgspec.json.decode(task.response_format)
        if task.kind == "format":
            return CheckResult(*(format_problem(response_format) or ()))
        return _judged(task.text.decode("utf-8", "surrogatepass"), response_format)
    except MemoryError:
        return unfinished(f"took more than {MEMORY >> 20} MiB of memory")
    except Exception as error:  # noqa: BLE001 - an exception of a library concerns this task only
        return unfinished(f"failed: {one_line(error)}")


def _judged(text: str, response_format: dict[str, object]) -> CheckResult:
    try:
        parsed(text, response_format)
    except Invalid as error:
        return CheckResult(str(error).encode("utf-8", "replace").decode())
    return CheckResult()


def _set_timer(seconds: float) -> None:
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _limit() -> None:
    """Limit memory; write no core dump, and ignore terminal signals, which are for the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "win32":
        return
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError, OSError):  # macOS has no such limit
        bound = _address_space() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))


def _address_space() -> int:
    """Return the size of the address space in bytes. Raises ``OSError`` if the system does not report it."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    main()
