"""Construction of faults: replies that are cut at a named position, framings, cases and rows."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from batch.providers.timeouts import Timeouts
from batch.testing import DONE, LAST_CHUNK, Reset, Script, Send, chunk, delta, finish, head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Letter: TypeAlias = Literal["S", "R", "R×1", "W", "F", "H"]
Setting: TypeAlias = Literal[
    "server",
    "refused",
    "unknown host",
    "no handshake",
    "self-signed",
    "expired",
    "another's",
    "no descriptors",
    "proxied",
    "tunnelled",
    "no proxy",
]
"""What stands where the request goes; but for the first, what stands in its way."""

ATTEMPTS = 3
PATIENT = Timeouts(connect=10, first_byte=10, idle=10, finish=5)
SAID = {4: "Hel", 5: "Hello €", 6: "Hel", 7: "Hello €", 8: "Hello €"}
"""What the model has said by a position, as far as its events are whole."""

_FIRST, _SECOND = delta("Hel"), delta("lo €")
_TO = {
    3: b"",
    4: _FIRST + _SECOND[:20],
    5: _FIRST + _SECOND,
    6: _FIRST + _SECOND[: _SECOND.index("€".encode()) + 1],
    7: _FIRST + _SECOND + finish(),
    8: _FIRST + _SECOND + finish() + DONE,
}


@dataclass(frozen=True, slots=True)
class Framing:
    """How bytes arrive: how many at a time, and with which line ends."""

    name: str
    step: int | None = None
    line_end: bytes = b"\n"

    def lines(self, events: bytes) -> bytes:
        """The events with this framing's line ends."""
        return events.replace(b"\n", self.line_end)

    def send(self, raw: bytes) -> Send:
        """Raw bytes in this framing's steps."""
        return Send(raw, self.step)

    def body(self, events: bytes) -> Send:
        """Events as one HTTP chunk."""
        return self.send(chunk(self.lines(events)))

    def to(self, position: int) -> list[Send]:
        """A reply up to a position."""
        if position < 3:
            return [self.send(b"HTTP/1.1 200 OK\r\ncontent-ty")] if position == 2 else []
        return [self.send(head()), *([self.body(_TO[position])] if _TO[position] else [])]

    def whole(self, events: bytes) -> Script:
        """A reply that ends in order after these events."""
        return [self.send(head()), self.body(events), self.send(LAST_CHUNK)]


FRAMINGS = [Framing("whole"), Framing("bytes", step=1), Framing("crlf", line_end=b"\r\n")]


def said(position: int) -> bytes:
    """The events of a reply up to a position."""
    return _TO[position]


def gzipped(events: bytes, *, whole: bool) -> bytes:
    """Compressed events, with or without the end of the gzip member."""
    member = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    return member.compress(events) + member.flush(zlib.Z_FINISH if whole else zlib.Z_SYNC_FLUSH)


@dataclass(frozen=True, slots=True)
class Case:
    """One fault at one position. ``code`` is the case's own, where a row has one for each; ``text`` is what
    the model has said, where that is not what it has usually said by this position.

    ``play`` gives the script of the fault; ``before`` is answered first, on the same connection, and ``then``
    after it. ``wait`` are the seconds, from and to, until the next attempt.
    """

    name: str
    at: int
    play: Callable[[Framing], Script] = lambda _: ()
    code: str | None = None
    text: str | None = None
    timeouts: Timeouts = PATIENT
    setting: Setting = "server"
    before: Script | None = None
    then: Script | None = None
    max_event: int = 2**24
    max_body: int = 2**26
    wait: tuple[float, float] | None = None
    requests: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the matrix: its number, its words, and what becomes of the request."""

    number: int | str
    fault: str
    at: str
    letter: Letter
    code: str
    cases: list[Case] = field(default_factory=list)
    verdict: str = ""
    note: str = ""

    @property
    def requests(self) -> int:
        """How often the server is asked."""
        return {"S": 1, "R": ATTEMPTS, "R×1": 2, "W": ATTEMPTS, "F": 1, "H": 1}[self.letter]


def each(positions: Iterable[int], make: Callable[[int], Case]) -> list[Case]:
    """The same fault at several positions."""
    return [make(position) for position in positions]


def broken_off(script: Script) -> Script:
    """A reply with a missing end of its body, and a lost connection."""
    (reply,) = (action.data for action in script if isinstance(action, Send))
    head, _, body = reply.partition(b"\r\n\r\n")
    return [Send(head.replace(b"content-length: ", b"content-length: 9") + b"\r\n\r\n" + body), Reset()]
