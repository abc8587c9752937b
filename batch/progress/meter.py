"""The line of a progress bar: which fields fit into a terminal, each at a fixed place with a fixed width.

What is shown depends on the width of the terminal and on the total alone, so nothing moves between frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from batch.amounts import short_amount
from batch.display_width import cut, display_width, padded

if TYPE_CHECKING:
    from collections.abc import Sequence

SHORTEST_BAR = 10
"""Cells of the bar below which fields are dropped."""

_LONGEST_BAR = 30
_BLOCKS = " ▏▎▍▌▋▊▉█"
_ASCII = " 123456789#"
_GAP = "  "
_DIGITS_OF_UNKNOWN = 7
_SHORTEST_NOTE = 12
"""Columns below which a note says nothing."""

_HOUR, _DAY = 3600, 86400


class Numbers(Struct, frozen=True):
    """What a bar shows. ``total`` and ``seconds_left`` are ``None`` while they are not known.

    ``requests`` and ``tokens`` are rates a second. ``allowed`` is the limit on the requests in flight,
    ``None`` before the engine runs. ``cost`` is ``None`` if none is known. ``notes`` say what is wrong.
    """

    done: int
    total: int | None
    failed: int = 0
    seconds_left: float | None = None
    requests: float = 0.0
    in_flight: int = 0
    allowed: int | None = None
    retries: int = 0
    tokens: float = 0.0
    cost: float | None = None
    notes: Sequence[str] = ()


def line(numbers: Numbers, width: int | None, *, plain: bool = False) -> str:
    """Return a line of ``width`` columns, or of any width if that is ``None``.

    ``plain`` draws the bar with ASCII characters. Without a total there is neither a bar nor an ETA.
    """
    fields = _fields(numbers)
    cells = 0 if numbers.total is None else SHORTEST_BAR
    if width is None:
        return _joined(numbers, cells, [*fields, *filter(None, [", ".join(numbers.notes)])], plain=plain)
    free = width - cells - (len("100%|| ") if cells else 0)
    shown, used = _fitting(fields, free)
    free -= used
    if cells:
        grown = free if len(shown) < len(fields) else min(free, _LONGEST_BAR - cells)
        cells, free = max(cells + grown, 0), free - grown
    text = _noted(_joined(numbers, cells, shown, plain=plain), numbers.notes, shown, free)
    return padded(cut(text, width), width)


def alone(text: str, width: int | None) -> str:
    """Return a line with nothing but a text."""
    return text if width is None else padded(cut(text, width), width)


def _fields(numbers: Numbers) -> list[str]:
    """Return all fields, the most important first."""
    if numbers.total is None:
        digits = _DIGITS_OF_UNKNOWN
        counts = f"{numbers.done:>{digits}} done"
    else:
        digits = len(str(numbers.total))
        counts = f"{numbers.done:>{digits}}/{numbers.total}"
    bound = "?" if numbers.allowed is None else _short(numbers.allowed)
    cost = "" if numbers.cost is None else f"cost {short_amount(numbers.cost)}"
    return [
        counts,
        f"failed {numbers.failed:<{digits}}",
        *([] if numbers.total is None else [f"ETA {_duration(numbers.seconds_left):>8}"]),
        f"{_rate(numbers.requests):>5} req/s",
        f"in flight {_short(numbers.in_flight):>4}/{bound:<4}",
        f"{_rate(numbers.tokens):>5} tok/s",
        f"retries {_short(numbers.retries):<4}",
        f"{cost:<14}",
    ]


_ALWAYS = 2
"""The counts and the failures are never dropped."""

_KEPT = 5
"""Notes never replace these fields."""


def _fitting(fields: Sequence[str], width: int) -> tuple[list[str], int]:
    """Return the first fields that fit, and their width with the gaps."""
    shown = list(fields[:_ALWAYS])
    used = len(_GAP.join(shown))
    for each in fields[_ALWAYS:]:
        if used + len(_GAP) + len(each) > width:
            break
        shown.append(each)
        used += len(_GAP) + len(each)
    return shown, used


def _noted(text: str, notes: Sequence[str], shown: Sequence[str], free: int) -> str:
    """Return the line with its notes: behind the fields or, if they do not fit there, over the last ones.

    ``free`` columns are left behind the fields. Only the fields behind the requests in flight give way.
    """
    note = ", ".join(notes)
    if not note:
        return text
    room, kept = free - len(_GAP), len(text)
    for each in reversed(shown[_KEPT:]):
        if display_width(note) <= room:
            break
        room += len(_GAP + each)
        kept -= len(_GAP + each)
    return text if room < _SHORTEST_NOTE else f"{text[:kept]}{_GAP}{cut(note, room)}"


def _joined(numbers: Numbers, cells: int, fields: Sequence[str], *, plain: bool) -> str:
    text = _GAP.join(fields)
    if not cells or numbers.total is None:
        return text
    share = numbers.done / numbers.total if numbers.total else 1.0
    bar = _bar(min(share, 1.0), cells, _ASCII if plain else _BLOCKS)
    return f"{int(100 * share):>3}%|{bar}| {text}"


def _bar(share: float, cells: int, steps: str) -> str:
    """Return a bar of so many cells; ``steps`` are a cell's characters from empty to full."""
    full, part = divmod(int(share * cells * (len(steps) - 1)), len(steps) - 1)
    return (steps[-1] * full + steps[part])[:cells].ljust(cells)


def _short(number: int) -> str:
    """Return a number in at most four characters: ``9999``, ``10k``, ``1.2M``."""
    if number < 10_000:
        return str(number)
    if number < 1_000_000:
        return f"{number // 1000}k"
    return f"{number // 100_000 / 10}M" if number < 10_000_000 else f"{number // 1_000_000}M"


def _rate(number: float) -> str:
    """Return a rate in at most five characters: ``0.05``, ``12.3``, ``1234``, ``12.3k``."""
    if number < 9.995:  # below the numbers that are rounded to one more digit
        return f"{number:.2f}"
    if number < 99.95:
        return f"{number:.1f}"
    if number < 9999.5:
        return f"{number:.0f}"
    return f"{number / 1000:.1f}k" if number < 99_950 else _short(int(number))


def _duration(seconds: float | None) -> str:
    """Return a duration in at most eight characters: ``1:02:03``, ``99:59:59``, ``12 days``."""
    if seconds is None:
        return "-:--:--"
    whole = round(seconds)
    if whole >= 100 * _HOUR:
        return f"{whole // _DAY} days" if whole < 1000 * _DAY else "> 3 yrs"
    return f"{whole // _HOUR}:{whole // 60 % 60:02}:{whole % 60:02}"
