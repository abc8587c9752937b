"""The states of an endpoint's circuit: the rules, and the table of its transitions.

Documents must never stop other documents, in this run or the next. A real outage, a revoked key and an empty
account must cost a handful of requests. The rules, which ``docs/faults.md`` has in full:

1. A failure is suspect if either the request or the endpoint may have caused it (``fault_attribution``).
2. Proof is a first delta or a complete answer of an attempt that was sent after the failure had arrived.
3. On an endpoint that has given proof, suspects wait, uncharged, while sending continues. Proof charges them.
4. After ``5 k`` suspects without proof, or if nothing else is left, a check decides: a reference request.
   ``k`` doubles with each check that is answered, up to 128, and is 1 again after 100 answers. If the only
   requests left were charged with the same before, they are charged again: a check would double their cost.
5. An answered check charges the suspects. A check that fails as they did parks the endpoint (401, 402,
   403) or opens the circuit; the suspects are requeued uncharged. A 429 delays the check; after three other
   failures the endpoint is parked.
6. While the circuit is open, one probe at a time is sent, with backoff: a reference request, or if none is
   known, a different request each time. After ``outage`` seconds the endpoint is parked.
7. Until an endpoint has given proof, one request at a time is sent: two server errors open the circuit, five
   equal rejections or eight requests without proof park it.
8. A refusal (429, or 503 with a ``Retry-After``) is not charged. A request fails because of it only after
   ``max_attempts`` refusals and ``outage`` seconds, if others were answered in the meantime.

::

    state       event                                      next
    UNPROVEN    proof                                      CLOSED
    UNPROVEN    two server errors                          OPEN
    UNPROVEN    5 equal rejections, 8 without proof        PARKED
    CLOSED      5 k suspects, or only suspects left        HALF_OPEN
    CLOSED      connections refused, none in flight        OPEN
    HALF_OPEN   the check is answered                      CLOSED
    HALF_OPEN   the check: 5xx, timeout, no connection     OPEN
    HALF_OPEN   the check: 401, 402, 403, three others     PARKED
    OPEN        a probe is answered                        CLOSED
    OPEN        a probe: 401, 402, 403, or ``outage``      PARKED
    any         an invalid key, a used-up quota, ...       PARKED

PARKED covers the state of the circuit: after parking for a time, the endpoint continues in that state.
So ``TRANSITIONS`` has the other states only.
"""

from __future__ import annotations

from enum import Enum, auto


class State(Enum):
    """The state of an endpoint's circuit; see the table above."""

    UNPROVEN = auto()
    CLOSED = auto()
    HALF_OPEN = auto()
    OPEN = auto()
    PARKED = auto()


class Change(Enum):
    """What changes the state of a circuit."""

    PROOF = auto()
    """An answer has proven that the endpoint works now."""
    CHECK_NEEDED = auto()
    """Enough suspects wait, or only suspects are left, so a check has to decide."""
    NO_CHECK_POSSIBLE = auto()
    """Only suspects are left, and no reference request is known for a check."""
    OUTAGE = auto()
    """The endpoint is down, or may be starting up."""


TRANSITIONS: dict[tuple[State, Change], State] = {
    (State.UNPROVEN, Change.PROOF): State.CLOSED,
    (State.HALF_OPEN, Change.PROOF): State.CLOSED,
    (State.OPEN, Change.PROOF): State.CLOSED,
    (State.CLOSED, Change.CHECK_NEEDED): State.HALF_OPEN,
    (State.HALF_OPEN, Change.NO_CHECK_POSSIBLE): State.CLOSED,
    (State.UNPROVEN, Change.OUTAGE): State.OPEN,
    (State.CLOSED, Change.OUTAGE): State.OPEN,
    (State.HALF_OPEN, Change.OUTAGE): State.OPEN,
    (State.OPEN, Change.OUTAGE): State.OPEN,
}
"""The next state, by state and change. A circuit changes in no other way."""
