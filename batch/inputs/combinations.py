"""The combinations of a job's matrix: their variables, and their parts of an id."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.json import encode

from batch.inputs.identity import digest, part
from batch.records import JSONObject  # noqa: TC001 - msgspec reads it

if TYPE_CHECKING:
    from collections.abc import Sequence


class Combination(Struct, frozen=True, gc=False):
    """One combination of the matrix. ``parts`` are its values as they appear in an id."""

    parts: tuple[str, ...] = ()
    variables: JSONObject = {}


def named(matrix: Sequence[JSONObject]) -> list[Combination]:
    """Return the combinations with their names; without a matrix, a single one without variables.

    A name contains the values of the keys in which combinations differ. If two would still be equal (because
    some lack keys), it contains the keys as well.
    """
    if not matrix:
        return [Combination()]
    keys = [key for key in dict.fromkeys(key for each in matrix for key in each) if _differs(key, matrix)]
    names = [tuple(part(each[key]) for key in keys if key in each) for each in matrix]
    if len(set(names)) < len(names):
        names = [tuple(f"{key}={part(each[key])}" for key in keys if key in each) for each in matrix]
    counts = Counter(names)  # the text "1" and the number 1 look the same
    names = [
        name if counts[name] == 1 else (*name, digest(each)[:8])
        for name, each in zip(names, matrix, strict=True)
    ]
    return [Combination(name, each) for name, each in zip(names, matrix, strict=True)]


def _differs(key: str, matrix: Sequence[JSONObject]) -> bool:
    return len({encode(each[key], order="sorted") if key in each else b"" for each in matrix}) > 1
