"""The worker processes of a run, as the system sees them."""

from __future__ import annotations

from pathlib import Path


def workers_of(driver: int) -> list[int]:
    """The process ids of the workers of a driver."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command = command_of(int(folder.name))
        except OSError:
            continue
        if b"batch.executors.worker" in command and command.endswith(b"\0%d\0" % driver):
            found.append(int(folder.name))
    return found


def command_of(process: int) -> bytes:
    """The argument list of a process."""
    return (Path("/proc") / str(process) / "cmdline").read_bytes()


def is_running(process: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        status = (Path("/proc") / str(process) / "stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")


def ignores(process: int, number: int) -> bool:
    """Whether a process ignores a signal. Raises ``OSError``."""
    status = (Path("/proc") / str(process) / "status").read_text(encoding="utf-8")
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:"))
    return bool(int(mask, 16) >> (number - 1) & 1)
