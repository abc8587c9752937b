"""Durations as people write them."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(ms|s|m|h|)\Z", re.ASCII)


def seconds(text: str) -> float:
    """``500ms``, ``90s``, ``5m``, ``2h`` or a bare number of seconds. Raises ``ValueError`` for the rest."""
    match = _DURATION.match(text.strip())
    if match is None:
        raise ValueError(text)
    return float(match[1]) * _UNITS[match[2]]
