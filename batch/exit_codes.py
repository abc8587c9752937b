"""The exit code of a run: that of its most severe reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable


SUCCESS = 0
SOME_FAILED = 1
USAGE = 2
REFUSED = 7
BUDGET = 8
INTERNAL = 70
NOT_WRITTEN = 74
UNAVAILABLE = 75
SIGNALLED = 128

MEANINGS = {
    SUCCESS: "every request has succeeded",
    SOME_FAILED: "finished; some requests failed or are pending",
    USAGE: "invalid usage or job file; nothing was sent",
    REFUSED: "an endpoint is parked: invalid key, quota used up, certificate, address",
    BUDGET: "a limit was reached; the rest is pending",
    INTERNAL: "internal error; finished results are written, the traceback is in the log",
    NOT_WRITTEN: "results could not be written; results already written are safe",
    UNAVAILABLE: "another run holds the output, or an endpoint or every worker was down too long",
}
"""What the exit code of a run says; the codes of signals are missing."""

SIGNALS = {129: "SIGHUP", 130: "SIGINT", 143: "SIGTERM"}
"""The signals that stop a run in order, by its exit code."""

_PRESSING = (NOT_WRITTEN, INTERNAL)
"""Results that could not be written, and internal errors: they take precedence over a signal."""

_OTHERS = (UNAVAILABLE, REFUSED, BUDGET, USAGE, SOME_FAILED)
"""The other codes, the most severe first."""


def meaning(code: int) -> str:
    """Return what an exit code of a run says."""
    if code in SIGNALS:
        return f"stopped by {SIGNALS[code]}; run the same command to resume"
    return MEANINGS.get(code, "unknown")


def in_words(code: int) -> str:
    """Return an exit code with its meaning."""
    return f"exit code {code}: {meaning(code)}"


class HasExitCode(Protocol):
    """A reason why a run ended."""

    @property
    def exit_code(self) -> int:
        """Its exit code."""
        ...


def exit_code(
    *,
    failed: bool,
    parkings: Iterable[HasExitCode] = (),
    out_of_budget: bool = False,
    signal: int | None = None,
    error: int | None = None,
    pending: bool = False,
) -> int:
    """Return the exit code of a run: that of its most severe reason.

    ``error`` is the code of an error that ended the run.
    """
    codes = {parking.exit_code for parking in parkings}
    codes |= {code for code in (error, None if signal is None else SIGNALLED + signal) if code is not None}
    codes |= {BUDGET} if out_of_budget else set()
    codes |= {SOME_FAILED} if failed or pending else set()
    signals = sorted(code for code in codes if code > SIGNALLED)
    return next((code for code in (*_PRESSING, *signals, *_OTHERS) if code in codes), SUCCESS)
