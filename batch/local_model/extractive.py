"""A summary by arithmetic: the two or three sentences that represent a text, word for word.

Each sentence is a bag of words. The words of the whole text are the centroid. A sentence scores by its cosine
to it, a little more if it is the first or the last. Sentences are selected one by one, each time the one with
the best score and the least repetition (maximal marginal relevance, Carbonell and Goldstein 1998), and are
returned in the order of the text.

There is no list of stop words, since the language is unknown: a word in most sentences does not distinguish
them, and is ignored. Scripts without spaces between words are read in pairs of characters. The same text
always gives the same summary.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from batch.local_model.sentences import quotable

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = "1"
"""Incremented when a text's summary may change; part of the identity of a request."""

_WORD = re.compile(r"[^\W\d_]+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]+")
_RELEVANCE = 0.5
"""Weight of the score against redundancy."""
_EDGE_BONUS = 0.1
_FULL_LENGTH = 6
"""Words from which a sentence counts in full; shorter ones score proportionally less."""

Bag = Counter[str]


def summary_length(available: int) -> int:
    """Return how many of a text's sentences make its summary: all up to two, two up to five, then three."""
    return min(available, 2 if available < 6 else 3)


def summarise(text: str) -> list[str]:
    """Return the sentences of the summary, in the order of the text; empty if the text has none."""
    found = quotable(text)
    bags = _without_common_words([Counter(_words(sentence)) for sentence in found])
    scores = _scores(bags)
    picked: list[int] = []
    while len(picked) < summary_length(len(found)):
        rest = (i for i in range(len(found)) if i not in picked)
        picked.append(max(rest, key=lambda i: _marginal_relevance(i, picked, bags, scores)))
    return [found[i] for i in sorted(picked)]


def _words(sentence: str) -> list[str]:
    words: list[str] = []
    for word in _WORD.findall(sentence.lower()):
        if _UNSPACED.match(word):
            words += [word[i : i + 2] for i in range(max(1, len(word) - 1))]
        elif len(word) > 2:
            words.append(word)
    return words


def _without_common_words(bags: Sequence[Bag]) -> list[Bag]:
    """Return the bags without words of more than half the sentences, if there are enough sentences."""
    if len(bags) < 4:
        return list(bags)
    spread = Counter(word for bag in bags for word in bag)
    return [Counter({w: n for w, n in bag.items() if spread[w] * 2 <= len(bags)}) for bag in bags]


def _scores(bags: Sequence[Bag]) -> list[float]:
    centroid: Bag = Counter()
    for bag in bags:
        centroid.update(bag)
    last = len(bags) - 1
    return [
        (_cosine(bag, centroid) + (_EDGE_BONUS if i in (0, last) else 0.0))
        * min(1.0, bag.total() / _FULL_LENGTH)
        for i, bag in enumerate(bags)
    ]


def _marginal_relevance(i: int, picked: Sequence[int], bags: Sequence[Bag], scores: Sequence[float]) -> float:
    redundancy = max((_cosine(bags[i], bags[j]) for j in picked), default=0.0)
    return _RELEVANCE * scores[i] - (1 - _RELEVANCE) * redundancy


def _cosine(one: Bag, other: Bag) -> float:
    norm = _norm(one) * _norm(other)
    return sum(n * other[word] for word, n in one.items()) / norm if norm else 0.0


def _norm(bag: Bag) -> float:
    return math.sqrt(sum(n * n for n in bag.values()))
