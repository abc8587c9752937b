"""The distribution of the values in structured answers, field by field, in bounded memory."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Any

from batch.report.model import Bar, Fact, FieldView
from batch.report.numbers import count, decimal

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FIELDS = 40
MAX_DEPTH = 3
MAX_VALUES = 200
"""Distinct texts that are counted; a field with more is free text, of which the lengths are shown."""

MAX_BARS = 12
_SAMPLE = 20_000
_LONGEST = 60
"""Characters of a value that is counted; a field with longer ones is free text."""


class _Field:
    """One field: its values by kind."""

    def __init__(self) -> None:
        self.count = 0
        self.values: Counter[str] = Counter()
        self.is_free = False
        self.numbers: list[float] = []
        self.lowest = float("inf")
        self.highest = float("-inf")
        self.lengths: list[float] = []

    def add(self, value: Any) -> None:
        self.count += 1
        if isinstance(value, bool) or value is None:
            self._tally(str(value).lower().replace("none", "null"))
        elif isinstance(value, int | float):
            self.lowest, self.highest = min(self.lowest, value), max(self.highest, value)
            _sample(self.numbers, value, self.count)
            self._tally(decimal(value))
        elif isinstance(value, str):
            _sample(self.lengths, len(value), self.count)
            self.is_free = self.is_free or len(value) > _LONGEST
            self._tally(value)
        else:
            self._tally(f"a list of {len(value)}")

    def _tally(self, text: str) -> None:
        if self.is_free:
            return
        self.values[text] += 1
        if len(self.values) > MAX_VALUES:
            self.is_free = True
            self.values.clear()

    def view(self, name: str) -> FieldView:
        if self.numbers and (self.is_free or len(self.values) > MAX_BARS):
            facts = [
                Fact("lowest", decimal(self.lowest)),
                Fact("median", decimal(median(self.numbers))),
                Fact("highest", decimal(self.highest)),
            ]
            return FieldView(name, "number", self.count, facts=facts)
        if self.is_free or (self.lengths and len(self.values) > MAX_BARS and _mostly_once(self.values)):
            lengths = [
                Fact("shortest", count(int(min(self.lengths)))),
                Fact("median", count(int(median(self.lengths)))),
                Fact("longest", count(int(max(self.lengths)))),
            ]
            return FieldView(name, "text, in characters", self.count, facts=lengths)
        found = self.values.most_common(MAX_BARS)
        if self.numbers:
            found.sort(key=lambda each: _size(each[0]))
        bars = [Bar(text, number, 100 * number / self.count) for text, number in found]
        return FieldView(name, "values", self.count, bars, others=max(0, len(self.values) - MAX_BARS))


def _size(text: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError:  # a value of another kind in the same field
        return float("inf")


def _mostly_once(values: Counter[str]) -> bool:
    return sum(number == 1 for number in values.values()) > len(values) / 2


def _sample(numbers: list[float], value: float, seen: int) -> None:
    """Keep the value; of very many, an even part of the later ones replaces earlier ones."""
    if len(numbers) < _SAMPLE:
        numbers.append(value)
    elif seen % (seen // _SAMPLE + 1) == 0:
        numbers[(seen * 2_654_435_761) % _SAMPLE] = value


class Fields:
    """Counts the fields of parsed answers."""

    def __init__(self) -> None:
        self._fields: dict[str, _Field] = {}

    def add(self, parsed: Any) -> None:
        """Count the fields of one answer."""
        for name, value in _leaves(parsed, "", 0):
            if name not in self._fields and len(self._fields) >= MAX_FIELDS:
                continue
            self._fields.setdefault(name, _Field()).add(value)

    def views(self) -> list[FieldView]:
        """Return the fields in the order in which they were first seen."""
        return [field.view(name) for name, field in self._fields.items()]


def _leaves(value: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield the values inside objects, with the path of their keys."""
    if isinstance(value, dict) and depth < MAX_DEPTH:
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else key, depth + 1)
    else:
        yield name or "answer", value
