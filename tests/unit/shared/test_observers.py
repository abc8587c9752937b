"""Who is called with an event."""

from __future__ import annotations

from batch.events import AttemptStarted, Event, Notice, Tick
from batch.observers import Observers
from batch.records import Request

STARTED = AttemptStarted(Request("a", "f", "m", "m", ()))


class Diary:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def observe(self, event: Event) -> None:
        self.events.append(event)


class Selective(Diary):
    ignores = frozenset({AttemptStarted, Tick})


def test_each_observer_gets_the_events_that_it_does_not_ignore_in_order() -> None:
    diary, selective = Diary(), Selective()
    observers = Observers([diary, selective])
    for event in (STARTED, Notice("a"), Tick(None), STARTED, Notice("b")):
        observers.emit(event)
    assert diary.events == [STARTED, Notice("a"), Tick(None), STARTED, Notice("b")]
    assert selective.events == [Notice("a"), Notice("b")]
