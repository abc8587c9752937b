"""The grammar that makes a small model quote: it may use sentences of the text, and nothing else.

A model of 135 million parameters often invents facts when it summarizes, so it chooses sentences instead of
writing. It also has a strong lead bias: from all sentences, it would copy the first three of any text. So the
text is cut into as many parts as the summary has sentences (beginning and end, or beginning, middle and end),
and the model chooses one sentence of each part.

The result is in GBNF, llama.cpp's notation. Its size is linear in that of the text.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from batch.local_model.extractive import summary_length
from batch.local_model.sentences import quotable

if TYPE_CHECKING:
    from collections.abc import Sequence


def summary_grammar(text: str) -> str | None:
    """Return a GBNF grammar for two or three different sentences of ``text`` in its order, joined by spaces.

    If the text has only one sentence, the grammar accepts that one; ``None`` if it has none.
    """
    found = quotable(text)
    if not found:
        return None
    groups = parts(found, summary_length(len(found)))
    root = ' " " '.join(f"part{n}" for n in range(len(groups)))
    rules = [f"part{n} ::= " + " | ".join(map(literal, group)) for n, group in enumerate(groups)]
    return "\n".join([f"root ::= {root}", *rules])


def parts(found: Sequence[str], count: int) -> list[Sequence[str]]:
    """Cut the sequence into ``count`` runs whose lengths differ by at most one; needs ``count`` items."""
    cuts = [len(found) * n // count for n in range(count + 1)]
    return [found[start:end] for start, end in pairwise(cuts)]


def literal(text: str) -> str:
    """Return a GBNF string literal of exactly this text, in printable ASCII."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    code = ord(character)
    if " " <= character <= "~" and character not in '"\\':
        return character
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
