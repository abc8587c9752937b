"""The texts inside some values of JSON: laid end to end to be searched, and put back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Path = tuple[str, ...]


class Leaf(Struct, frozen=True):
    """One text. ``path`` are the keys that lead to it, without positions in lists."""

    path: Path
    text: str


class Joint(Struct, frozen=True):
    """Several leaves laid end to end, without the white space around each.

    ``places`` are, for each leaf: its number, where it begins in ``text``, and how much white space it begins
    with.
    """

    text: str
    places: Sequence[tuple[int, int, int]]


def leaves_of(values: Mapping[str, Any]) -> list[Leaf]:
    """The leaves of some named values, in their order; the keys of objects are leaves, too."""
    return [leaf for name, value in values.items() for leaf in _leaves(value, (name,))]


def _leaves(value: Any, path: Path) -> Iterator[Leaf]:
    if isinstance(value, str):
        yield Leaf(path, value)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, path)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield Leaf((*path, ""), key)
            yield from _leaves(item, (*path, key))


def joints(leaves: Sequence[Leaf]) -> Iterator[Joint]:
    """The orders in which leaves may be read as one text.

    All of them; all but the keys of objects; those at one place, such as the tokens of an answer; and the
    answer before its reasoning.
    """
    yield _joint(leaves, range(len(leaves)))
    values = [number for number, leaf in enumerate(leaves) if leaf.path[-1]]
    if len(values) < len(leaves):
        yield _joint(leaves, values)
    groups: dict[Path, list[int]] = {}
    for number, leaf in enumerate(leaves):
        groups.setdefault(leaf.path, []).append(number)
    for group in groups.values():
        if len(group) > 1:
            yield _joint(leaves, group)
    if ("reasoning",) in groups and ("text",) in groups:
        yield _joint(leaves, [*groups["text",], *groups["reasoning",]])


def _joint(leaves: Sequence[Leaf], numbers: Sequence[int]) -> Joint:
    texts: list[str] = []
    places: list[tuple[int, int, int]] = []
    at = 0
    for number in numbers:
        text = leaves[number].text
        bare = text.strip()
        places.append((number, at, len(text) - len(text.lstrip())))
        texts.append(bare)
        at += len(bare)
    return Joint("".join(texts), places)


def rebuilt(values: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """The values with other texts in their leaves."""
    rest = iter(texts)
    return {name: _rebuilt(value, rest) for name, value in values.items()}


def _rebuilt(value: Any, texts: Iterator[str]) -> Any:
    if isinstance(value, str):
        return next(texts)
    if isinstance(value, list):
        return [_rebuilt(item, texts) for item in value]
    if isinstance(value, dict):
        return {next(texts): _rebuilt(item, texts) for item in value.values()}
    return value
