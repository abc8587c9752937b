"""A slow and simple decoder of answers, as a reference: ``expected`` returns the correct verdict.

It is written from the specification and shares no code with ``batch.wire``. It reads the whole body at once,
line by line and event by event, with the ``json`` module. It has two parts: this module reads the events, and
``reference_answer`` decides what they amount to. Where the specification is silent, the safe reading counts:
an answer that may have a hole is no answer. These readings are:

- An event named ``error`` is an error even without data. The name counts in any case of letters.
- In a stream, an object without choices is an error where it has ``errors``, or a ``code`` or ``status`` from
  400 on. A ``detail`` or ``message`` there may belong to a ping; in a whole body it is an error as well.
- An ``error`` that is null, false, zero or empty is none.
- A list in place of an event is not read, so it fails the answer. A scalar says nothing.
- A truthy value of a wrong type in place of ``choices``, a choice, ``delta``, ``message``, ``function``, a
  piece of a tool call or its arguments fails the answer: what the server said there is not known.
- ``"0"`` and ``0.0`` are the index 0. An index that is no number (``false``, ``[]``) fails the answer if that
  choice says anything: it may be the one that was asked for. Two choices for index 0 in a whole body fail it
  as well. A choice without an index is numbered by its place.
- The ``text`` of a choice is text where its delta has none.
- A whole ``message`` may repeat the deltas, with or without the reasoning that stands before their text, or a
  message before it, or complete them. If it contradicts them, there is no answer.
- Text after a finish reason is appended, whether or not text stood beside the reason.
- Of several finish reasons, one that fails the answer decides: a gateway that was broken off and begins anew
  sends half an answer and a whole one. An unknown reason gives way to any other. ``stop`` and ``length``
  together may be either.
- A finish reason that is an object with a ``type`` is that word. Any other that is not a string is unknown.
- A stream whose last finish reason is provisional is cut if it ends inside an event, however the body ends.
- An id that comes after the first pieces of its call belongs to it, unless a name comes with it again.
- A tool call that is described in two ways (two names, an object after text) is no answer. A piece without an
  id that names a function again begins another call where the arguments so far are a whole object: a whole
  call cannot go on. A name that is repeated with each piece of the arguments says nothing new.
- A whole message that only repeats what was said says nothing new, so a finish reason beside it is firm.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tests.support.reference_answer import Answer, Expected, NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Iterator

BOM = b"\xef\xbb\xbf"
DEEP = "nested too deeply"


@dataclass
class Event:
    """The lines between two blank ones. ``closed`` is false for what stands after the last blank line."""

    name: str = ""
    data: bytes | None = None
    error: bytes | None = None
    closed: bool = False

    def take(self, line: bytes) -> None:
        """Read one line. A comment has an empty field name."""
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self.data = value if self.data is None else self.data + b"\n" + value
        elif field == b"event":
            self.name = value.decode("utf-8", "replace").strip().lower()
        elif field == b"error":
            self.error = value

    def is_empty(self) -> bool:
        """Whether no line of it says anything."""
        return self == Event(closed=self.closed)


def expected(body: bytes, *, confirmed: bool = True) -> Expected:
    """The right verdict on the body of a 200.

    ``confirmed``: its end was marked by a length or a last chunk. Otherwise the connection was closed, in
    order or not, so that more may have been meant to come.
    """
    try:
        return _answer(body, confirmed=confirmed)
    except NoAnswerError as error:
        return Expected(frozenset(), why=str(error))


def _answer(body: bytes, *, confirmed: bool) -> Expected:
    body = body.removeprefix(BOM)
    start = body.lstrip(b" \t\r\n")
    if start.startswith(b"<"):
        raise NoAnswerError("a page")
    if start.startswith(b"{"):
        return _whole(start)
    answer = Answer()
    for event in _events(body):
        if not event.closed and not _counts_unclosed(event):
            answer.ended_inside_event = not event.is_empty()
            break
        _take(event, answer)
        if answer.done:
            break
    return answer.verdict(confirmed=confirmed)


def _whole(body: bytes) -> Expected:
    value = _json(body)
    answer = Answer(is_whole=True)
    answer.take(value)
    return answer.verdict(confirmed=True)


def _events(body: bytes) -> Iterator[Event]:
    event = Event()
    *lines, last = re.split(rb"\r\n|\n|\r", body)
    for line in lines:
        if line:
            event.take(line)
        else:
            event.closed = True
            yield event
            event = Event()
    event.take(last)
    yield event


def _counts_unclosed(event: Event) -> bool:
    """An event without its blank line counts if it has a complete JSON object or ``[DONE]``."""
    value = event.data if event.error is None else event.error
    if value is None:
        return False
    if value.strip() == b"[DONE]":
        return True
    try:
        return isinstance(_json(value), dict)
    except NoAnswerError:
        return False


def _take(event: Event, answer: Answer) -> None:
    if event.name == "error" or event.error is not None:
        raise NoAnswerError("an error event")
    data = (event.data or b"").strip()
    if data == b"[DONE]":
        answer.done = True
    elif data:
        answer.take(_json(data))


@lru_cache(maxsize=4096)
def _json(data: bytes) -> Any:
    try:
        return json.loads(data.decode())
    except UnicodeDecodeError:
        raise NoAnswerError("not UTF-8") from None
    except RecursionError:
        raise NoAnswerError(DEEP) from None
    except ValueError:
        raise NoAnswerError("not JSON") from None
