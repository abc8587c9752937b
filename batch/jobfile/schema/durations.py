"""Durations in other forms than those of a job file, and how to write them."""

from __future__ import annotations

import re

_UNITS = {
    "ms": ("millisecond", "milliseconds", "msec", "msecs", "millis"),
    "s": ("s", "sec", "secs", "second", "seconds"),
    "m": ("m", "min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "d": ("d", "day", "days"),
}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WORDS = {"one": "1", "a": "1", "an": "1", "half an": "0.5"}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)", re.IGNORECASE)
_CLOCK = re.compile(r"(?:([0-9]{1,3}):)?([0-9]{1,2}):([0-9]{2})\Z")


def duration_hint(written: object) -> str:
    """Return how to write a duration such as ``5 minutes`` or ``1h30m``; an empty text if that is unclear."""
    text = written.strip().lower() if isinstance(written, str) else ""
    for word, number in _WORDS.items():
        text = re.sub(rf"^{word} ", f"{number} ", text)
    if match := _CLOCK.match(text):
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return f"write `{_shortest(hours * 3600 + minutes * 60 + seconds)}`"
    parts = _PART.findall(text)
    rest = re.sub(r"and|[\s,]", "", _PART.sub("", text))
    units = [_unit(name) for _, name in parts]
    if not parts or rest or None in units:
        return ""
    if units == ["ms"]:
        return f"write `{parts[0][0]}ms`"
    if "ms" in units:
        return ""
    total = sum(float(number) * _SECONDS[str(unit)] for (number, _), unit in zip(parts, units, strict=True))
    return f"write `{_shortest(total)}`"


def _unit(name: str) -> str | None:
    return next((unit for unit, names in _UNITS.items() if name in names), None)


def _shortest(seconds: float) -> str:
    for unit in ("h", "m"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:g}{unit}"
    return f"{seconds:g}s"
