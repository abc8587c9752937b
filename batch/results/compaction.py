"""Compaction: which lines a finished file contains and in which order, as line numbers only."""

from __future__ import annotations

from array import array
from itertools import chain
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch.results.contents import Contents

Order: TypeAlias = Literal["completion", "input"]


def arranged(contents: Contents, job: Iterable[str], *, order: Order, prune: bool) -> array[int] | None:
    """Return the numbers of the lines to keep, in output order; ``None`` if the file has them already."""
    if order == "completion" and not prune and not contents.index.superseded:
        return None
    numbers = array("I", _numbers(contents, job, order, prune))
    return None if _is_whole(numbers, len(contents)) else numbers


def _numbers(contents: Contents, job: Iterable[str], order: Order, prune: bool) -> Iterable[int]:
    index = contents.index
    if order == "completion" and not prune:
        return index.latest()
    claims = (line for request_id in job if (line := index.claim(request_id)) is not None)
    if order == "input":
        return claims if prune else chain(claims, index.unclaimed())
    for _ in claims:
        pass
    return index.claimed()


def _is_whole(numbers: array[int], length: int) -> bool:
    """Whether these are all lines of a file in file order."""
    return len(numbers) == length and all(map(int.__eq__, numbers, range(length)))
