"""Resume: which requests an earlier run has left to send."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batch.records import Known, Request


class State(StrEnum):
    """The state of a request before a run."""

    NEW = "new"
    """The output has no line of it."""
    CHANGED = "changed"
    """The output has a line, but for another prompt, model or parameter."""
    DONE = "done"
    """It has succeeded."""
    FAILED = "failed"
    """It has failed, and a retry may succeed."""
    GIVEN_UP = "given_up"
    """It has failed permanently; only ``promptjobs retry`` sends it again."""


def state(request: Request, known: Known | None) -> State:
    """Return the state of a request from the output's latest line of its id."""
    if known is None:
        return State.NEW
    if known.fingerprint != request.fingerprint:
        return State.CHANGED
    if known.succeeded:
        return State.DONE
    return State.FAILED if known.retryable else State.GIVEN_UP


TO_RUN = frozenset({State.NEW, State.CHANGED, State.FAILED})
"""The states from which ``promptjobs run`` sends a request."""

TO_RETRY = TO_RUN | {State.GIVEN_UP}
"""The states from which ``promptjobs retry`` sends a request."""

TO_FORCE = TO_RETRY | {State.DONE}
"""The states from which ``--force`` sends a request."""
