"""Sparing Python's cyclic garbage collector work that finds nothing: a quarter of a run of short replies.

A run makes many small objects and frees them by counting. By default the collector looks at the young ones
every 700, and now and then at all that the program's libraries made when they were imported. Only the
command changes this, since the process is its own; a program that uses the library keeps what it has.
"""

from __future__ import annotations

import gc

YOUNG = 10_000
"""New objects until the collector looks for cycles among them."""


def spare() -> None:
    """Leave what is there now out of collections, and collect less often."""
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
