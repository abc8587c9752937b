"""The strings in JSON values: concatenated to be searched, and replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Path = tuple[str, ...]


class Leaf(Struct, frozen=True):
    """One string. ``path`` are the keys that lead to it, without list indices."""

    path: Path
    text: str


class Joint(Struct, frozen=True):
    """Several leaves concatenated, without the white space around each.

    ``places`` are, for each leaf: its number, its start in ``text``, and the length of its leading white
    space.
    """

    text: str
    places: Sequence[tuple[int, int, int]]


def leaves_of(values: Mapping[str, Any]) -> list[Leaf]:
    """Return the leaves of named values, in order; the keys of objects are leaves too."""
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
    """Yield the orders in which leaves may form one text.

    These are: all of them; all except the keys of objects; those under the same path, such as the tokens of
    an answer; and the answer before its reasoning.
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
    """Return the values with replaced leaves."""
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
