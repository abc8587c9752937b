"""Changes to the list of events of a stream.

Each takes a random generator and a list of events, which it changes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.stream_corpus import STREAMS
from tests.support.stream_edits import EDITS, choices_of, copied
from tests.support.stream_events import DONE, Sent, bare, call, chunk, completion, usage_chunk
from tests.support.stream_words import ERRORS, NAMES, RAW, REASONS, WRONG

if TYPE_CHECKING:
    from random import Random

Events = list[Sent]


# Changes to the list of events


def drop(chance: Random, events: Events) -> None:
    del events[chance.randrange(len(events))]


def double(chance: Random, events: Events) -> None:
    place = chance.randrange(len(events))
    events.insert(place, events[place])


def move(chance: Random, events: Events) -> None:
    event = events.pop(chance.randrange(len(events)))
    events.insert(chance.randrange(len(events) + 1), event)


def splice(chance: Random, events: Events) -> None:
    """Events of another answer."""
    other = chance.choice(STREAMS).events
    start = chance.randrange(len(other))
    place = chance.randrange(len(events) + 1)
    events[place:place] = other[start : start + chance.randrange(1, 4)]


def name(chance: Random, events: Events) -> None:
    place = chance.randrange(len(events))
    if events[place].raw is None:
        events[place] = Sent(events[place].value, chance.choice(NAMES))


def insert_raw(chance: Random, events: Events) -> None:
    """Comments, pings, blank data, unknown fields, and invalid JSON."""
    events.insert(chance.randrange(len(events) + 1), Sent(raw=chance.choice(RAW)))


def insert_error(chance: Random, events: Events) -> None:
    kind, error = chance.choice(ERRORS)
    place = chance.randrange(len(events) + 1)
    if kind == "event":
        events.insert(place, Sent(error, "error"))
    elif kind == "field":
        events.insert(place, Sent(raw="error: " + json.dumps(error)))
    elif kind == "choice":
        events.insert(place, Sent({"choices": [{"index": 0, "delta": {"content": ""}, **error}]}))
    else:
        events.insert(place, Sent(error))


def insert_scalar(chance: Random, events: Events) -> None:
    events.insert(chance.randrange(len(events) + 1), Sent(chance.choice((*WRONG, None, [], {}))))


def insert_done(chance: Random, events: Events) -> None:
    events.insert(chance.randrange(len(events) + 1), DONE)


def insert_finish(chance: Random, events: Events) -> None:
    reason = chance.choice(REASONS)
    said = chance.choice(({}, {"content": ""}, {"content": "More."}, {"reasoning_content": "Hm."}))
    value = chance.choice((chunk(said, reason), bare(said, reason), {"finish_reason": reason}))
    events.insert(chance.randrange(len(events) + 1), Sent(value))


def insert_message(chance: Random, events: Events) -> None:
    """A whole message: the output so far, or other output."""
    said = "".join(_content(event) for event in events)
    text = chance.choice((said, said[:-3], said + "!", "Else.", "", None))
    finish = chance.choice(("stop", None))
    events.insert(chance.randrange(len(events) + 1), Sent(completion({"content": text}, finish)))


def insert_call(chance: Random, events: Events) -> None:
    """A piece of a tool call, of whichever call."""
    index, call_id = (
        chance.choice((None, 0, 0, 1, 7, "0", "1", True)),
        chance.choice((None, None, "call_1", "call_3", 3)),
    )
    function = chance.choice(("weather", "tide", None, None))
    piece = call(None, chance.choice(("", "{}", '{"a":1}', "x", {}, {"a": 1}, None, 7)), function, call_id)
    piece |= {} if index is None else {"index": index}
    pieces = [piece] * chance.choice((1, 1, 1, 2))
    events.insert(chance.randrange(len(events) + 1), Sent(chunk({"tool_calls": pieces})))


def insert_function_call(chance: Random, events: Events) -> None:
    piece = chance.choice(({"name": "tide", "arguments": ""}, {"arguments": "{}"}))
    events.insert(chance.randrange(len(events) + 1), Sent(chunk({"function_call": piece})))


def insert_other(chance: Random, events: Events) -> None:
    """Output of another choice, or the usage."""
    other = {
        "index": chance.choice((1, 2, "1", "0", 0.0, -1, None)),
        "delta": {"content": "No."},
        "finish_reason": None,
    }
    value = chance.choice((chunk({}, choices=[other]), usage_chunk(), usage_chunk(extra=None)))
    events.insert(chance.randrange(len(events) + 1), Sent(value))


def merge(chance: Random, events: Events) -> None:
    """Two pieces of text in one event."""
    places = [
        place for place in range(len(events) - 1) if _content(events[place]) and _content(events[place + 1])
    ]
    if places:
        place = chance.choice(places)
        events[place : place + 2] = [
            Sent(chunk({"content": _content(events[place]) + _content(events[place + 1])}))
        ]


def divide(chance: Random, events: Events) -> None:
    """A piece of text in two events, also through the middle of a character beyond 16 bits."""
    places = [place for place, event in enumerate(events) if len(_content(event)) > 1]
    if places:
        place = chance.choice(places)
        units = _content(events[place]).encode("utf-16-le", "surrogatepass")
        cut = 2 * chance.randrange(1, len(units) // 2)
        halves = (
            units[:cut].decode("utf-16-le", "surrogatepass"),
            units[cut:].decode("utf-16-le", "surrogatepass"),
        )
        events[place : place + 1] = [
            Sent(raw="data: " + json.dumps(bare({"content": half}))) for half in halves
        ]


def finish_each(chance: Random, events: Events) -> None:
    """A finish reason in every chunk."""
    reason = chance.choice(REASONS)
    for place, event in enumerate(events):
        value = copied(event.value)
        if isinstance(value, dict):
            for choice in choices_of(value):
                choice["finish_reason"] = reason
            events[place] = Sent(value, event.name)


def insert_tag(chance: Random, events: Events) -> None:
    tag = chance.choice(("<think>", "</think>", "</think>\n\n", "\n```\n", "\n</think>\n", " </think> and"))
    events.insert(chance.randrange(len(events) + 1), Sent(chunk({"content": tag})))


CHANGES = (
    *EDITS,
    drop,
    double,
    move,
    splice,
    name,
    insert_raw,
    insert_error,
    insert_error,
    insert_scalar,
    insert_done,
    insert_finish,
    insert_finish,
    insert_message,
    insert_call,
    insert_function_call,
    insert_other,
    merge,
    divide,
    finish_each,
    insert_tag,
)


def _content(event: Sent) -> str:
    """The text that an event of the usual shape brings."""
    try:
        content = event.value["choices"][0]["delta"]["content"]
    except (KeyError, IndexError, TypeError):
        return ""
    return content if isinstance(content, str) else ""
