"""Which requests of a job a run sends, by their states, their ids and the codes of their failures."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

from batch.scheduling.resume import TO_RUN, State

if TYPE_CHECKING:
    from batch.records import Known

_FAILED = frozenset({State.FAILED, State.GIVEN_UP})


class Selection(Struct, frozen=True):
    """The requests that a run sends: those in one of the ``states``, within ``only`` and ``codes``.

    An empty tuple limits nothing. ``only`` holds ids and patterns of ids, in which ``*``, ``?`` and ``[...]``
    also match slashes. ``codes`` holds error codes and patterns of them: only requests that have failed with
    one of these are sent.
    """

    states: frozenset[State] = TO_RUN
    only: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()

    def takes(self, request_id: str, where: State, known: Known | None) -> bool:
        """Return whether the run sends a request in this state, which the output knows as ``known``."""
        if where not in self.states:
            return False
        if self.only and not any(matches(pattern, request_id) for pattern in self.only):
            return False
        if not self.codes:
            return True
        return (
            known is not None and where in _FAILED and any(matches(code, known.code) for code in self.codes)
        )


def matches(pattern: str, text: str) -> bool:
    """Return whether a text is the pattern or fits it. An id such as ``notes[1].txt`` fits itself."""
    return pattern == text or fnmatchcase(text, pattern)


UNLIMITED = Selection()
"""What ``promptjobs run`` sends without further flags."""
