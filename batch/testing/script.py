"""What a ``FaultServer`` can do to a connection: a small language of frozen values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes; with ``step``, that many at a time, each in a write of its own."""

    data: bytes
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Do nothing for some seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drip:
    """Send the same bytes again and again, every so many seconds, until the client goes away."""

    data: bytes
    every: float


@dataclass(frozen=True, slots=True)
class Stall:
    """Do nothing until the client goes away."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Close the connection in order (FIN), whatever was left to send."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Break the connection (RST)."""


Action: TypeAlias = Send | Pause | Drip | Stall | Cut | Reset

Script: TypeAlias = Sequence[Action]
"""Played from its beginning to its end; after that the connection waits for its next request."""
