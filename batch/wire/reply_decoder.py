"""Decodes the bytes of a response into a complete reply or a failure.

A reply is complete if the server sent a final finish reason (``finish_state``), ``[DONE]``, or one complete
JSON object. Everything else is a truncated response, even if it looks complete.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batch.errors import AttemptError
from batch.finish_reasons import NO_WORDS, FinishReasons
from batch.wire import bulk_decoder, chat_chunk
from batch.wire.body_start import BodyKind, body_start
from batch.wire.error_classification import from_event
from batch.wire.error_detection import error_in
from batch.wire.finish_state import FinishState
from batch.wire.reply_builder import ReplyBuilder, ReportedError
from batch.wire.sse import MAX_EVENT, ErrorData, EventDecoder, EventTooLargeError

if TYPE_CHECKING:
    from batch.records import Failure, Outcome

MAX_BODY = 64 * 2**20
"""Default maximum size of one response, in bytes."""

SLICE = 24 * 1024
"""Bytes that are decoded at once.

With more, the first bytes leave the processor's cache before the last are decoded. CPython also searches
more than 30 000 bytes for the ends of events with a slower method.
"""

WORTHWHILE = 5
"""Minimum number of events for which the text-only path is faster."""

MANY = 30
"""Number of events from which it is faster still to read the name of the model from the first one only."""

_DONE = b"\n\ndata: [DONE]"
_UNREADABLE = (ReportedError, chat_chunk.WrongTypeError, RecursionError)


class ReplyDecoder:
    """Decodes the body of a response with status 200, fed in pieces; ``close`` returns the outcome.

    ``content_type`` is the header; it may be set after the first bytes. ``message`` is the reply so far.
    ``finished`` is set by a final finish reason, ``done`` once nothing can follow. ``framed``: the end of the
    body is marked, so that it cannot be a lost connection. ``finish_reasons`` are the job's additions.
    ``is_early``: this endpoint continues after a finish reason (see ``finish_state``).
    """

    def __init__(
        self,
        content_type: str = "",
        *,
        max_event: int = MAX_EVENT,
        max_body: int = MAX_BODY,
        finish_reasons: FinishReasons = NO_WORDS,
        is_early: bool = False,
    ) -> None:
        self.content_type = content_type
        self.done = False
        self.framed = True
        self.message = ReplyBuilder(FinishState(finish_reasons, is_early))
        self._events = EventDecoder(max_event)
        self._max_event = max_event
        self._whole: bytearray | None = None
        self._head = b""
        self._opened = False
        self._has_events = False
        self._ends_inside = False
        self._left = self._max_body = max_body

    @property
    def finished(self) -> bool:
        """Whether the server has marked the answer as complete."""
        return self.done or self.message.finish.is_firm

    def feed(self, data: bytes) -> None:
        """Decode more of the body. Raises ``AttemptError`` once it can no longer become a reply."""
        for start in range(0, len(data), SLICE):
            self._take_slice(data[start : start + SLICE])

    def _take_slice(self, data: bytes) -> None:
        if self.done:
            return
        room, self._left = self._left, self._left - len(data)
        self._feed(data if self._left >= 0 else data[:room])
        if self._left < 0 and not self.done:
            raise self._error("too_large", f"a response of more than {self._max_body} bytes")

    def close(self) -> Outcome:
        """Return the outcome after the regular end of the body."""
        try:
            return self._close()
        except AttemptError as error:
            return error.failure

    def cut(self, code: str, message: str) -> Outcome:
        """Return the outcome after the body broke off: a finished answer remains an answer."""
        try:
            with suppress(ValueError):
                self._read_end()
        except AttemptError as error:
            return error.failure
        return self._whole_reply() if self.finished else self._failure(code, message)

    def _feed(self, data: bytes) -> None:
        if not self._opened:
            data = self._open(data)
        if self._whole is not None:
            self._whole += data
            return
        try:
            self._take(self._events.take(data))
        except EventTooLargeError as error:
            raise self._error("too_large", str(error)) from None

    def _close(self) -> Outcome:
        try:
            self._read_end()
        except EventTooLargeError as error:
            return self._failure("too_large", str(error))
        except chat_chunk.NotUTF8Error as error:
            return self._failure("encoding", f"the response is not UTF-8: {error}")
        except chat_chunk.NotJSONError as error:
            if self._whole is not None and self._whole.startswith(b"["):
                return self._failure("not_sse", "the response is a plain text, not an event stream")
            return self._failure("truncated", f"the response is not complete JSON: {error}")
        is_marked = self.framed and not self._ends_inside
        has_ended = self.done or self.message.finish.holds_at_end(framed=is_marked)
        return self._whole_reply() if has_ended else self._unfinished()

    def _whole_reply(self) -> Outcome:
        """Return the reply; or the error that the server reported with it, if no finish reason arrived."""
        message = self.message
        if message.possible_error is not None and message.finish.word is None:
            return self._server_error(message.possible_error).failure
        return message.reply()

    def _unfinished(self) -> Failure:
        if self._left == self._max_body:
            return self._failure("empty", "the response had no body")
        if self.message.possible_error is not None and self.message.finish.word is None:
            return self._server_error(self.message.possible_error).failure
        if not self._has_events and "text/event-stream" not in self.content_type.lower():
            return self._failure("not_sse", "the response is a plain text, not an event stream")
        return self._failure("truncated", "the stream ended without a finish reason")

    # What kind of body it is

    def _open(self, data: bytes) -> bytes:
        """Determine what kind of body it is, and return what is to be decoded now."""
        if data.startswith(b"data:") and not self._head:
            self._opened = True
            return data
        kind, data = body_start(self._head + data)
        if kind is BodyKind.UNKNOWN:
            self._head = data
            return b""
        self._opened = True
        if kind is BodyKind.PAGE:
            raise self._error("not_sse", "the response is a page, not an event stream")
        if kind is BodyKind.WHOLE:
            self._whole = bytearray()
        return data

    def _read_end(self) -> None:
        """Read what can only be read at the end: one whole object, or an event without its empty line."""
        if self.done:
            return
        if self._whole is not None:
            self._read_whole(bytes(self._whole).strip())
            return
        self._ends_inside = self._events.is_inside()
        data = self._events.close()
        if data is not None:
            self._has_events = True
            with suppress(ValueError):  # cut inside its last event: the events before it decide
                self._read(data)
                self._ends_inside = not data.rstrip().endswith((b"}", b"[DONE]"))

    def _read_whole(self, body: bytes) -> None:
        """Read one whole JSON value: an object, or a list, which can only contain errors."""
        if body.startswith(b"["):
            errors = error_in(chat_chunk.generic(body))
            if errors is None:
                raise chat_chunk.NotJSONError("a list")
            raise self._server_error(errors)
        self._chunk(body)
        self.done = True

    # Events

    def _take(self, events: bytes) -> None:
        run = events.removesuffix(_DONE)
        is_last = len(run) < len(events)
        insides = bulk_decoder.insides(run) if len(run) <= self._max_event else None
        if insides is None:
            self._one_by_one(events)
            return
        self._has_events = True
        taken = self._run(insides, is_last=is_last)
        if taken < len(insides):
            self._one_by_one(bulk_decoder.outsides(insides[taken:]))
        self.done = self.done or is_last

    def _run(self, insides: list[bytes], *, is_last: bool) -> int:
        """Decode a run of events; return how many, up to the first part with an unusual shape.

        All events of most replies have text alone, except for the last one or two, which have the finish
        reason and the usage.
        """
        end = len(insides)
        if is_last:
            end -= 2 if b'"prompt_tokens"' in insides[-1] else 1
        begin = 1 if end >= MANY and self.message.model is None else 0
        if end - begin < WORTHWHILE:
            return len(insides) if self._chunks(insides) else 0
        if begin and not self._chunks(insides[:begin]):
            return 0
        if not self._texts(insides[begin:end]):
            return len(insides) if self._chunks(insides[begin:]) else begin
        last = insides[end:]
        return len(insides) if not last or self._chunks(last) else end

    def _texts(self, insides: list[bytes]) -> bool:
        """Decode events that contain text alone; return whether they do."""
        if self.done or self.message.finish.word is not None:
            return False
        found = bulk_decoder.texts(insides, model_is_known=self.message.model is not None)
        if found is None:
            return False
        self.message.add_texts(*found)
        return True

    def _chunks(self, insides: list[bytes]) -> bool:
        """Decode events of the usual shape; return whether they have it."""
        found = bulk_decoder.decode(insides)
        if found is None:
            return False
        try:
            if len(found) == 1:  # most reads of a slow stream: an iterator costs a tenth of the decoding
                self.message.add(found[0], insides[0])
            else:
                self.message.add_all(found, insides)
        except _UNREADABLE as error:
            raise self._unreadable(error) from None
        return True

    def _one_by_one(self, events: bytes) -> None:
        for event in self._events.cut(events):
            self._has_events = True
            self._event(event)
            if self.done:
                return

    def _event(self, data: bytes) -> None:
        try:
            self._read(data)
        except chat_chunk.NotUTF8Error as error:
            raise self._error("encoding", f"an event is not UTF-8: {error}") from None
        except chat_chunk.NotJSONError as error:
            raise self._error("bad_event", f"an event is not JSON: {error}") from None

    def _read(self, data: bytes) -> None:
        word = data.strip()
        if isinstance(data, ErrorData):
            raise self._server_error(_error_data(word))
        if word == b"[DONE]":
            self.done = True
        elif word:
            self._chunk(data)

    def _chunk(self, data: bytes) -> None:
        try:
            chunk = chat_chunk.decode(data)
            self.message.add(chunk, data.strip()[1:-1] if chunk.choices else b"")
        except _UNREADABLE as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: Exception) -> AttemptError:
        if isinstance(error, ReportedError):
            return self._server_error(error.error)
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        return self._error("bad_event", f"the response cannot be read: {why}")

    def _server_error(self, error: object) -> AttemptError:
        """Return the error to raise for an error that the server has reported inside its answer."""
        failure, so_far = from_event(error, is_first=not self.message.deltas), self._failure("", "")
        return AttemptError(
            replace(
                failure,
                finished=so_far.finished,
                partial_text=failure.partial_text or so_far.partial_text,
                usage=so_far.usage,
                cost=so_far.cost,
                finish_reason=so_far.finish_reason,
            )
        )

    def _failure(self, code: str, message: str, *, should_retry: bool | None = None) -> Failure:
        return self.message.failure(code, message, finished=self.finished, should_retry=should_retry)

    def _error(self, code: str, message: str) -> AttemptError:
        return AttemptError(self._failure(code, message))


def _error_data(data: bytes) -> object:
    """Return the error in the data of an error event: JSON, with or without an "error" key, or plain text."""
    try:
        value = chat_chunk.generic(data)
    except ValueError:
        return data.decode("utf-8", "replace")
    error = error_in(value)
    return value if error is None else error
