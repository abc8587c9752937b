"""State machine for the end of an answer: how reliable a finish reason is.

A finish reason in an event with output is provisional: some servers send ``stop`` with every event, others
with the end of the reasoning. Only ``[DONE]`` or the end of the body confirms it.

====================  ==========================  =========================  =======================
state                 finish reason, no words     finish reason with words   words, no finish reason
====================  ==========================  =========================  =======================
``OPEN``              ``FIRM``                    ``PROVISIONAL``            ``OPEN``
``PROVISIONAL``       ``FIRM``                    ``PROVISIONAL``            ``CONTRADICTED``
``CONTRADICTED``      ``PROVISIONAL``             ``PROVISIONAL``            ``CONTRADICTED``
``FIRM``              ``FIRM``                    ``PROVISIONAL``            ``CONTRADICTED``
====================  ==========================  =========================  =======================

A finish reason of a failure is never forgotten, whatever follows: a gateway that switches to another upstream
after half an answer sends the whole answer after it.

Once output has followed a finish reason at an endpoint, a reason without output is provisional there as well.

====================  ===============  ===================  ==================  ==============
state                 ``[DONE]``       body ends in order   connection breaks   silence
====================  ===============  ===================  ==================  ==============
``OPEN``              unverified       cut                  cut                 idle timeout
``PROVISIONAL``       that reason      that reason          cut                 idle timeout
``CONTRADICTED``      that reason      cut                  cut                 idle timeout
``FIRM``              that reason      that reason          that reason         that reason
====================  ===============  ===================  ==================  ==============
"""

from __future__ import annotations

from enum import Enum, auto

from msgspec import Struct

from batch.finish_reasons import BUILT_IN, FAILED_ENDINGS, NO_WORDS, Ending, FinishReasons, classify


class State(Enum):
    """The state of the end of an answer."""

    OPEN = auto()
    PROVISIONAL = auto()
    CONTRADICTED = auto()
    FIRM = auto()


_RANK = {Ending.UNKNOWN: 0, Ending.COMPLETE: 1, Ending.LENGTH: 2}
"""Of two provisional reasons with no output in between, the higher rank counts, else the later one."""

# Names of a module are looked up several times faster than members of an enumeration.
_OPEN, _PROVISIONAL, _CONTRADICTED, _FIRM = State


class FinishState(Struct, gc=False, eq=False):
    """The state machine. ``word`` is the server's finish reason, ``ending`` its meaning.

    ``own`` are the finish reasons of the job. ``is_early`` makes every finish reason provisional; it is set
    once output has followed a finish reason.
    """

    own: FinishReasons = NO_WORDS
    is_early: bool = False
    state: State = _OPEN
    word: str | None = None
    ending: Ending | None = None

    @property
    def is_firm(self) -> bool:
        """Whether the answer has ended, even if the connection is lost."""
        return self.state is _FIRM

    def holds_at_end(self, *, framed: bool) -> bool:
        """Whether the answer has ended with its body. ``framed``: the end of the body is marked."""
        return self.is_firm or (framed and self.state is _PROVISIONAL)

    def words(self) -> None:
        """Record model output."""
        if self.state is not _OPEN:
            self.state = _CONTRADICTED
            self.is_early = True

    def reason(self, word: str, *, with_words: bool) -> None:
        """Record a finish reason; ``with_words``: the same event has output."""
        ending = BUILT_IN.get(word) or classify(word, self.own)
        if ending is None:
            return
        if self.ending is None or self._counts(ending):
            self.word, self.ending = word, ending
        if self.state is not _FIRM:
            self.state = _PROVISIONAL if with_words or self.is_early else _FIRM

    def _counts(self, ending: Ending) -> bool:
        """Whether another finish reason replaces the current one."""
        if self.ending in FAILED_ENDINGS:  # a new answer may follow a failure
            return False
        if ending in FAILED_ENDINGS or self.state in (_OPEN, _CONTRADICTED):
            return True
        if self.state is _FIRM:  # the first reason counts
            return False
        return self.ending is None or _RANK[ending] >= _RANK[self.ending]
