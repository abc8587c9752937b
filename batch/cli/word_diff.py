"""Two texts as one, with the words marked in which they differ: ``[-old-]{+new+}``, or in color."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from batch.cli.console import green, red
from batch.display_width import cut, display_width, without_variants
from batch.results.comparison.word_changes import word_changes
from batch.terminal_escaping import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from batch.results.comparison.word_changes import Kind, Piece, Word

MAX_LINES = 12
"""Lines of one answer."""

CONTEXT = 8
"""Words that are shown before and after a change."""

MOST_CHANGED = 40
"""Words of one change that are shown."""

_LONGEST_WORD = 200
_ELLIPSIS = "…"
_BRACKETS = {"removed": ("[-", "-]"), "added": ("{+", "+}")}
_PAINTS: dict[Kind, Callable[[str], str]] = {"removed": red, "added": green}


def word_diff(before: str, after: str, width: int, *, colour: bool) -> Iterator[str]:
    """Yield escaped lines of at most ``width`` columns; what is the same is shown only near a change."""
    changes = word_changes(before, after)
    if not changes.has_changes:
        yield "(only white space differs)"
        return
    paints = _PAINTS if colour else {}
    shown = list(
        islice(_wrapped(_tokens(changes.pieces, has_brackets=not colour), width, paints), MAX_LINES + 1)
    )
    yield from shown if len(shown) <= MAX_LINES else [*shown[: MAX_LINES - 1], _ELLIPSIS]


class _Token:
    """A word as it is shown. ``after`` is the white space after it: none, a space, or a line end."""

    def __init__(self, text: str, kind: Kind, after: str = " ") -> None:
        self.text = text
        self.kind = kind
        self.after = after


def _tokens(pieces: Sequence[Piece], *, has_brackets: bool) -> Iterator[_Token]:
    for number, piece in enumerate(pieces):
        if piece.kind == "same":
            yield from _context(piece.words, is_first=number == 0, is_last=number == len(pieces) - 1)
        else:
            yield from _changed(piece, has_brackets=has_brackets)


def _context(words: Sequence[Word], *, is_first: bool, is_last: bool) -> Iterator[_Token]:
    """Yield the words next to the changes before and after them."""
    head = 0 if is_first else CONTEXT
    tail = 0 if is_last else CONTEXT
    if len(words) <= head + tail + 1:
        yield from (_shown(word, "same") for word in words)
        return
    yield from (_shown(word, "same") for word in words[:head])
    yield _Token(_ELLIPSIS, "same")
    yield from (_shown(word, "same") for word in words[len(words) - tail :])


def _changed(piece: Piece, *, has_brackets: bool) -> Iterator[_Token]:
    """Yield the words of one text alone: the first and the last ones, if there are many."""
    tokens = [_shown(word, piece.kind) for word in piece.words]
    if len(tokens) > MOST_CHANGED + 1:
        middle = _Token(_ELLIPSIS, piece.kind)
        tokens = [*tokens[: MOST_CHANGED - CONTEXT], middle, *tokens[-CONTEXT:]]
    if has_brackets:
        opening, closing = _BRACKETS[piece.kind]
        tokens[0].text = opening + tokens[0].text
        tokens[-1].text += closing
    if piece.kind == "removed" and tokens[-1].after == "\n":
        tokens[-1].after = " "  # the line goes on with what replaces these words
    yield from tokens


def _shown(word: Word, kind: Kind) -> _Token:
    text = escape(without_variants(word.text[: _LONGEST_WORD + 1]), limit=_LONGEST_WORD)
    return _Token(text, kind, "\n" if "\n" in word.space else word.space and " ")


def _wrapped(
    tokens: Iterable[_Token], width: int, paints: Mapping[Kind, Callable[[str], str]]
) -> Iterator[str]:
    """Break the words into lines, at their own line ends and where the width requires it."""
    line: list[str] = []
    used, gap = 0, ""
    for token in tokens:
        text = cut(token.text, width)
        columns = display_width(text)
        if line and used + len(gap) + columns > width:
            yield "".join(line)
            line, used, gap = [], 0, ""
        line.append(gap + paints.get(token.kind, str)(text))
        used += len(gap) + columns
        gap = token.after
        if gap == "\n":
            yield "".join(line)
            line, used, gap = [], 0, ""
    if line:
        yield "".join(line)
