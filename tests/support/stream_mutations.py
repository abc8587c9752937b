"""Damaged streams: what servers, gateways and networks do to events, to their JSON and to their bytes.

``damaged`` draws a case from a seed: a shape, up to three changes to its events, and some to its bytes.
"""

from __future__ import annotations

import json
from random import Random
from typing import Literal, NamedTuple, TypeAlias

from tests.support.stream_changes import CHANGES
from tests.support.stream_corpus import STREAMS, WHOLES
from tests.support.stream_edits import EDITS, copied
from tests.support.stream_events import Sent

End: TypeAlias = Literal["marked", "closed", "broken"]
ENDS: tuple[End, ...] = ("marked", "marked", "marked", "marked", "closed", "broken")


class Case(NamedTuple):
    """One damaged body. Its end is marked (by a length or a last chunk), or it ends with its connection."""

    body: bytes
    end: End


def damaged(seed: int) -> Case:
    """The case of a seed; always the same one."""
    chance = Random(seed)
    if chance.random() < 0.12:
        return _damaged_whole(chance)
    events = list(chance.choice(STREAMS).events)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3))):
        if events:
            chance.choice(CHANGES)(chance, events)
    style = {"ascii_only": chance.random() < 0.3, "compact": chance.random() < 0.5}
    body = b"".join(event.encode(**style) + b"\n\n" for event in events)
    return _damaged_bytes(chance, body)


def _damaged_whole(chance: Random) -> Case:
    event = Sent(copied(chance.choice(WHOLES).whole))
    for _ in range(chance.choice((0, 1, 1, 2))):
        events = [event]
        chance.choice(EDITS)(chance, events)
        event = events[0]
    body = json.dumps(event.value, ensure_ascii=chance.random() < 0.5).encode("utf-8", "replace")
    if chance.random() < 0.2:
        body = body[: chance.randrange(len(body) + 1)]
    before = chance.choice((b"", b"", b"", b"\n", b"\xef\xbb\xbf"))
    after = chance.choice((b"", b"", b"", b"\n", b" \r\n", b"{}", b"\n\ndata: [DONE]\n\n"))
    return Case(before + body + after, chance.choice(ENDS))


def _damaged_bytes(chance: Random, body: bytes) -> Case:
    if chance.random() < 0.25:
        end = chance.choice((b"\r\n", b"\r"))
        whole = chance.random() < 0.6
        body = b"".join(
            line + (end if whole or chance.random() < 0.5 else b"\n") for line in body.split(b"\n")[:-1]
        )
    if chance.random() < 0.1:
        body = body.replace(b"data: ", b"data:")
    if chance.random() < 0.05:
        body = b"\xef\xbb\xbf" + body
    if chance.random() < 0.1:
        body = body.rstrip(b"\r\n")
    if chance.random() < 0.2:
        return Case(body[: chance.randrange(len(body) + 1)], chance.choice(ENDS))
    return Case(body, chance.choice(ENDS))
