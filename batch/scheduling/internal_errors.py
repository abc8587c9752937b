"""Failures for exceptions in this program or in a provider, each of which fails one request only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from batch.errors import one_line
from batch.failure_codes import INTERNAL_ERROR
from batch.records import Failure, Reply

if TYPE_CHECKING:
    from collections.abc import Sequence


def internal_error(error: BaseException) -> Failure:
    """Return the failure of an attempt that raised; its message has the error and its place in one line."""
    return Failure(INTERNAL_ERROR, f"{one_line(error)}{_place(error)}")


def charged(failure: Failure, earlier: Sequence[str]) -> Failure:
    """Return an internal error as one that is retried once, unless ``earlier`` contains one."""
    return replace(failure, should_retry=INTERNAL_ERROR not in earlier)


def no_outcome(value: object) -> Failure:
    """Return the failure of an attempt whose provider returned an object that is not an outcome."""
    what = "a reply without a text" if isinstance(value, Reply) else type(value).__name__
    return Failure(INTERNAL_ERROR, f"the provider returned {what}, which is not an outcome")


def _place(error: BaseException) -> str:
    """Return the last file and line of the traceback."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    name = trace.tb_frame.f_code.co_filename.replace("\\", "/").rsplit("/", 1)[-1]
    return f" ({name}:{trace.tb_lineno})"
