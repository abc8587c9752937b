"""Split a long text into chunks at natural boundaries: ends of paragraphs, sentences, lines, words.

A chunk is a span of the unchanged text. Together the spans cover it, in order and without a gap. The tokens
of a chunk are estimated as elsewhere (``scheduling.token_estimate``), from its bytes in UTF-8, so that they
grow exactly with the text.

1. A chunk takes as much as its limit allows, and ends at the last end of a paragraph in its second half; else
   at the last end of a sentence, of a line or of a word in it.
2. A run without white space that is longer than the limit becomes an unbroken chunk by itself.
3. A chunk begins up to ``overlap`` tokens before the end of the previous one, at the first start of a
   sentence there, or else of a word. It begins at that end if nothing new would fit otherwise.

``inputs.split``: rows with a long text become several, each with a part of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from batch.inputs.readers.row import BadRow, InputsDiagnostic, Row
from batch.scheduling.token_estimate import PER_BYTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batch.inputs.readers.row import Read
    from batch.jobfile.job import Split

_CLOSERS = r"""["'”’»›)\]」』）]*"""
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*+")
_SENTENCE = re.compile(rf"[.!?…]{_CLOSERS}\s++(?![a-zß-öø-ÿ])|[。！？]{_CLOSERS}\s*+")
_LINE = re.compile(r"\n")
_SPACE = re.compile(r"\s")


class Span(NamedTuple):
    """A part of a text, as positions in it."""

    start: int
    end: int


def tokens(text: str) -> float:
    """Return the estimated tokens of a text."""
    return len(text.encode()) * PER_BYTE


def spans(text: str, size: int, overlap: int = 0) -> list[Span]:
    """Return the chunks of a text: at most ``size`` tokens each, ``overlap`` of them repeated.

    A text that fits is one chunk, even if empty. ``overlap`` is less than ``size``.
    """
    room, repeated = int(size / PER_BYTE), int(overlap / PER_BYTE)
    result = [Span(0, _end(text, 0, 0, room))]
    while (done := result[-1].end) < len(text):
        start = _start(text, result[-1], repeated)
        end = _end(text, start, done, room)
        if start < done and len(text[start:end].encode()) > room:
            start, end = done, _end(text, done, done, room)
        result.append(Span(start, end))
    return result


def _end(text: str, start: int, done: int, room: int) -> int:
    """Return the end of a chunk that begins at ``start``: after ``done``, beyond its limit only in a run."""
    limit = _forward(text, start, room)
    if limit == len(text):
        return limit
    half = max(done, start + (limit - start) // 2)
    for boundary, after in ((_PARAGRAPH, half), (_SENTENCE, done), (_LINE, done), (_SPACE, done)):
        # Include one more character, to know whether a sentence or white space ends here.
        ends = [match.end() for match in boundary.finditer(text, after, limit + 1)]
        if found := [end for end in ends[-2:] if end <= limit]:
            return found[-1]
    gap = _SPACE.search(text, max(limit, done))
    return len(text) if gap is None else gap.end()


def _start(text: str, before: Span, repeated: int) -> int:
    """Return where the chunk after ``before`` begins."""
    earliest = max(before.start + 1, _backward(text, before.end, repeated))
    if earliest < before.end:
        for boundary in (_SENTENCE, _SPACE):
            for match in boundary.finditer(text, before.start, before.end):
                if earliest <= match.end() < before.end:
                    return match.end()
    return before.end


def _forward(text: str, start: int, room: int) -> int:
    """Return the last position such that the text in between fits ``room`` bytes."""
    window = text[start : start + room]
    if window.isascii():
        return start + len(window)
    return start + len(window.encode()[:room].decode(errors="ignore"))


def _backward(text: str, end: int, room: int) -> int:
    """Return the first position such that the text in between fits ``room`` bytes."""
    window = text[max(0, end - room) : end] if room else ""
    if window.isascii():
        return end - len(window)
    return end - len(window.encode()[-room:].decode(errors="ignore"))


def chunked(rows: Iterable[Read], split: Split) -> Iterator[Read]:
    """Yield the rows, each in chunks of its variable ``text``.

    A chunk has the variables and the metadata of its row, and ``chunk`` (from 1) and ``chunks``. Its id is
    the row's with its number, even for a single chunk, so that a growing text renames nothing. The metadata
    of a chunk name its source: a document by ``path``, a row by ``row``.
    """
    for row in rows:
        if isinstance(row, Row):
            yield from _chunks(row, split)
        else:
            yield row


def _chunks(row: Row, split: Split) -> Iterator[Read]:
    text = row.variables.get("text")
    if not isinstance(text, str):
        what = "no text to split: it needs a column `text`"
        yield BadRow(InputsDiagnostic.of(row.place, "split", what), row.id)
        return
    parts = spans(text, split.tokens, split.overlap)
    origin = row.metadata if "path" in row.metadata or row.id is None else {"row": row.id, **row.metadata}
    for number, (start, end) in enumerate(parts, 1):
        counts = {"chunk": number, "chunks": len(parts)}
        yield Row(
            None if row.id is None else f"{row.id}/{number}",
            {**row.variables, "text": text[start:end], **counts},
            {**origin, **counts},
            row.path,
            row.line,
        )
