"""Changes to the JSON of one event, of a stream or of a whole body.

Each takes a random generator and a list of events, which it changes.
"""

from __future__ import annotations

import marshal
from typing import TYPE_CHECKING, Any

from tests.support.stream_events import Sent
from tests.support.stream_words import JUNK, REASONS, WRONG

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

Events = list[Sent]
SAID = {
    "choices",
    "delta",
    "message",
    "content",
    "tool_calls",
    "function",
    "arguments",
    "refusal",
    "index",
    "id",
    "text",
}
"""The keys that are worth damaging most."""


def change_type(chance: Random, events: Events) -> None:
    """A value in place of one of another type."""

    def change(holder: Any, key: Any) -> None:
        holder[key] = chance.choice((*WRONG, None, str(holder[key]), [holder[key]], {"0": holder[key]}))

    _at_some_place(chance, events, change)


def rename_key(chance: Random, events: Events) -> None:
    def change(holder: Any, key: Any) -> None:
        if isinstance(holder, dict):
            value = holder.pop(key)
            holder[chance.choice((*SAID, "error", "Content", "x", key + "s"))] = value

    _at_some_place(chance, events, change)


def remove_key(chance: Random, events: Events) -> None:
    def change(holder: Any, key: Any) -> None:
        del holder[key]

    _at_some_place(chance, events, change)


def add_junk(chance: Random, events: Events) -> None:
    def change(holder: Any, key: Any) -> None:
        if isinstance(holder, dict):
            key, value = chance.choice(JUNK)
            holder.setdefault(key, value)

    _at_some_place(chance, events, change)


def change_finish(chance: Random, events: Events) -> None:
    """Another finish reason in place of each that is there."""
    reason = chance.choice(REASONS)
    for place, event in enumerate(events):
        value = copied(event.value)
        if isinstance(value, dict):
            holders = [value, *choices_of(value)]
            changed = [holder for holder in holders if holder.get("finish_reason")]
            for holder in changed:
                holder["finish_reason"] = reason
            if changed:
                events[place] = Sent(value, event.name)


def change_index(chance: Random, events: Events) -> None:
    def change(holder: Any, key: Any) -> None:
        if isinstance(holder, dict) and "index" in holder:
            holder["index"] = chance.choice((0, 1, "0", "1", None, 1.0, 0.0, False, True, [], "a"))

    _at_some_place(chance, events, change)


def put_error(chance: Random, events: Events) -> None:
    """An error beside what else an event says."""

    def change(holder: Any, key: Any) -> None:
        if isinstance(holder, dict):
            holder["error"] = chance.choice(({"code": 502, "message": "no"}, "no", None, {}, "", 0))

    _at_some_place(chance, events, change)


EDITS = (
    change_type,
    change_type,
    rename_key,
    remove_key,
    add_junk,
    change_finish,
    change_finish,
    change_index,
    put_error,
)


def _at_some_place(chance: Random, events: Events, change: Callable[[Any, Any], None]) -> None:
    """Call ``change`` with a holder and a key somewhere in the JSON of some event."""
    place = chance.randrange(len(events))
    if not isinstance(events[place].value, dict | list):
        return
    value = copied(events[place].value)
    places = list(_places(value))
    worthwhile = [found for found in places if found[1] in SAID]
    if not places:
        return
    change(*chance.choice(worthwhile if worthwhile and chance.random() < 0.7 else places))
    events[place] = Sent(value, events[place].name)


def _places(value: Any) -> list[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found: list[tuple[Any, Any]] = []
    for key, inner in items:
        found.append((value, key))
        if isinstance(inner, dict | list):
            found += _places(inner)
    return found


def copied(value: Any) -> Any:
    """A deep copy of a JSON value."""
    return marshal.loads(marshal.dumps(value))


def choices_of(value: dict[str, Any]) -> list[dict[str, Any]]:
    choices = value.get("choices")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
