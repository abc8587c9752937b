"""Ids that are composed of parts, unique for each request.

An id joins the parts of a request by ``/``: its row's id, its prompt, its model, its matrix values, its
sample. Since parts may contain a ``/`` themselves, two requests can have the same text: the row ``a`` for the
model ``b/c``, and the row ``a/b`` for the model ``c``. Then the one whose row has the longer id keeps the
text, and the other's ends in ``~`` and eight digits of a digest of its parts. The result does not depend on
the order of the rows.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias

from batch.inputs.identity import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Suffix: TypeAlias = tuple[str, ...]
"""The parts of an id after that of its row, without the sample."""

RowIds: TypeAlias = "Iterable[tuple[str, Iterable[Suffix] | None]]"
"""The id of each row with its suffixes; ``None``: all."""


class Composed:
    """Composes the ids of a job, whose rows have these ``suffixes``, listed only if they are needed.

    ``is_plain``: no part contains a ``/``, and all suffixes have the same number of parts, so that no two ids
    are equal. ``is_unique``: the parts joined by ``/`` are the id. ``rows`` reads the ids of rows that
    contain a ``/``; it is called once, and only if ids could be equal.
    """

    def __init__(
        self,
        suffixes: Callable[[], Iterable[Suffix]],
        samples: int,
        rows: Callable[[], RowIds],
        *,
        is_plain: bool = False,
    ) -> None:
        self._suffixes = suffixes
        self._samples = samples
        self._rows = rows
        texts = {} if is_plain else {suffix: "/".join(suffix) for suffix in suffixes()}
        self._second = _later(texts)
        self._rivals = _rivals(texts)
        self.is_unique = not (self._second or self._rivals)
        self._endings: set[str] | None = None
        self._there: set[tuple[str, str]] | None = None

    def prepare(self) -> None:
        """Read what is needed of the rows, which can take a while."""
        if self._rivals and self._there is None:
            self._there = set(self._among(self._rows()))

    def name(self, row: str, suffix: Suffix, sample: int) -> str:
        """Return the id of a request; ``row`` is empty if there are no rows."""
        parts = [row, *suffix] if row else [*suffix]
        if self._samples > 1:
            parts.append(str(sample))
        name = "/".join(parts)
        if self.is_unique or not self._is_taken(row, suffix):
            return name
        return marked(name, (row, *suffix))

    def could_be(self, name: str) -> bool:
        """Return whether some row could have the id ``name`` for one of its requests."""
        if self._samples > 1:
            name, _, sample = name.rpartition("/")
            if not (sample.isdecimal() and 1 <= int(sample) <= self._samples):
                return False
        if self._endings is None:
            self._endings = {"/".join(suffix) for suffix in self._suffixes()}
        endings = self._endings
        return "" in endings or any(rest in endings for _, rest in _splits(name))

    def _is_taken(self, row: str, suffix: Suffix) -> bool:
        if suffix in self._second:
            return True
        rivals = self._rivals.get(suffix) if row else None
        if not rivals:
            return False
        self.prepare()
        there = self._there
        if not there:
            return False
        return any((f"{row}/{more}", rest) in there for more, rest in rivals)

    def _among(self, rows: RowIds) -> Iterator[tuple[str, str]]:
        """Yield rows, each with the text of a suffix, whose ids could also be those of another row."""
        wanted = defaultdict(set)
        for rivals in self._rivals.values():
            for more, rest in rivals:
                wanted[more].add(rest)
        for row, suffixes in rows:
            has = None if suffixes is None else {"/".join(suffix) for suffix in suffixes}
            for _, more in _splits(row):
                for rest in wanted.get(more, ()):
                    if has is None or rest in has:
                        yield row, rest


def marked(name: str, parts: object) -> str:
    """Make an id unique by a digest of its parts."""
    return f"{name}~{digest(parts)[:8]}"


def _later(texts: dict[Suffix, str]) -> set[Suffix]:
    """Return all but the first of the suffixes with the same text, in order."""
    same = defaultdict(list)
    for suffix, text in texts.items():
        same[text].append(suffix)
    return {suffix for suffixes in same.values() for suffix in sorted(suffixes)[1:]}


def _rivals(texts: dict[Suffix, str]) -> dict[Suffix, list[tuple[str, str]]]:
    """Return, for each suffix that ends in another one, the part before that and the other one's text."""
    known = set(texts.values())
    rivals = {}
    for suffix, text in texts.items():
        found = [(more, rest) for more, rest in _splits(text) if rest in known]
        if text and "" in known:
            found.append((text, ""))
        if found:
            rivals[suffix] = found
    return rivals


def _splits(text: str) -> Iterator[tuple[str, str]]:
    """Split the text in two, at each ``/``."""
    at = text.find("/")
    while at >= 0:
        yield text[:at], text[at + 1 :]
        at = text.find("/", at + 1)
