"""What an earlier run leaves to do."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batch.records import Known, Request


class State(StrEnum):
    """Where a request stands before a run."""

    NEW = "new"
    """The output knows nothing of it."""
    CHANGED = "changed"
    """The output has a line, but of another prompt, model or parameter."""
    DONE = "done"
    """It has succeeded."""
    FAILED = "failed"
    """It has failed, and another try may fare better."""
    GIVEN_UP = "given_up"
    """It has failed for good; only ``promptjobs retry`` asks again."""


def state(request: Request, known: Known | None) -> State:
    """Where the request stands, by what the output knows of its id."""
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
"""The same for ``promptjobs retry``."""

TO_FORCE = TO_RETRY | {State.DONE}
"""The same for ``--force``."""
