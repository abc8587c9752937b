"""The actions of a ``FaultServer`` on a connection, as frozen values."""

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
    """Send the same bytes repeatedly, every so many seconds, until the client disconnects."""

    data: bytes
    every: float


@dataclass(frozen=True, slots=True)
class Stall:
    """Do nothing until the client disconnects."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Close the connection in order (FIN), whatever was left to send."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Break the connection (RST)."""


Action: TypeAlias = Send | Pause | Drip | Stall | Cut | Reset

Script: TypeAlias = Sequence[Action]
"""Played from beginning to end; after that, the connection waits for its next request."""
