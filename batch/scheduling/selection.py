"""Which requests of a job a run sends, by their states, their ids and the codes of their failures."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - msgspec reads it
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from batch.records import Known  # noqa: TC001 - msgspec reads it
from batch.scheduling.resume import TO_RUN, State, state

if TYPE_CHECKING:
    from batch.records import Request

_FAILED = frozenset({State.FAILED, State.GIVEN_UP})


class Choice(Struct, frozen=True, gc=False):
    """What a run does with a request: ``sends`` it or not.

    ``where`` is its state by the line that decides about it, ``known`` what is known of that line.
    """

    where: State
    known: Known | None
    sends: bool


class Selection(Struct, frozen=True):
    """The requests that a run sends: those in one of the ``states``, within ``only`` and ``codes``.

    An empty tuple limits nothing. ``only`` holds ids and patterns of ids, in which ``*``, ``?`` and ``[...]``
    also match slashes. ``codes`` holds error codes and patterns of them: only requests that have failed with
    one of these are sent.

    ``merged`` returns what another output knows of an id: for a shard, that of the whole job.
    """

    states: frozenset[State] = TO_RUN
    only: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    merged: Callable[[str], Known | None] | None = None

    def choose(self, request: Request, own: Known | None) -> Choice:
        """Decide about a request of which the run's ``own`` output has this line."""
        known = self._deciding(request, own)
        where = state(request, known)
        return Choice(where, known, self._takes(request.id, where, known))

    def _deciding(self, request: Request, own: Known | None) -> Known | None:
        """Return the run's ``own`` line, unless only the merged one settles the request.

        A line settles a request if the run then does not send it.
        """
        if self.merged is None or (own is not None and state(request, own) not in self.states):
            return own
        merged = self.merged(request.id)
        if merged is None or state(request, merged) in self.states:
            return own
        return replace(merged, elsewhere=True)

    def _takes(self, request_id: str, where: State, known: Known | None) -> bool:
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
