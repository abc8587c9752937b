"""The times for which endpoints were parked, from samples and in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.results.run_record import ParkedInterval

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch.events import Parked

MAX_INTERVALS = 600

_Key = tuple[str, str, bool]


class ParkedIntervals:
    """Intervals by endpoint, code and kind. Too many of them are joined, those with the shortest gaps first.

    Times are seconds since the start of the run, and never decrease.
    """

    def __init__(self) -> None:
        self._ended: list[ParkedInterval] = []
        self._present: dict[_Key, float] = {}

    def sample(self, parked: Iterable[Parked], at: float) -> None:
        """Record which endpoints are parked at a time."""
        at = round(at, 3)
        keys = {(each.name, each.code, each.is_open) for each in parked}
        for key in [key for key in self._present if key not in keys]:
            self._ended.append(ParkedInterval(*key, self._present.pop(key), at))
        for key in keys:
            self._present.setdefault(key, at)
        gap = 1.0
        while len(self._ended) > MAX_INTERVALS and gap < at:
            self._ended = joined(self._ended, gap)
            gap *= 2

    def until(self, at: float, gap: float) -> list[ParkedInterval]:
        """Return the intervals by their start; those with gaps shorter than ``gap`` are joined."""
        present = [ParkedInterval(*key, start, round(at, 3)) for key, start in self._present.items()]
        return joined([*self._ended, *present], gap)


def joined(intervals: list[ParkedInterval], gap: float) -> list[ParkedInterval]:
    """Return the intervals by their start; those of the same kind with shorter gaps are joined."""
    found: dict[_Key, list[ParkedInterval]] = {}
    for each in sorted(intervals, key=_start):
        key = (each.endpoint, each.code, each.is_open)
        of_kind = found.setdefault(key, [])
        is_near = bool(of_kind) and each.start - of_kind[-1].end < gap
        start = of_kind.pop().start if is_near else each.start
        of_kind.append(ParkedInterval(*key, start, each.end))
    return sorted((each for of_kind in found.values() for each in of_kind), key=_start)


def _start(interval: ParkedInterval) -> float:
    return interval.start
