"""Shards: the parts of one job that separate processes run, each without knowing of the others.

The parts depend on the ids of the requests alone, and are the same on every machine.
"""

from __future__ import annotations

import re
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING

from msgspec import Struct

from batch.codec import well_formed

if TYPE_CHECKING:
    from pathlib import Path

_WRITTEN = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,8})", re.ASCII)
_IN_NAME = re.compile(r"\.[1-9][0-9]*-of-[1-9][0-9]*(?=\.)", re.ASCII)

WHOLE = Decimal(1)
"""The unit of amounts that are counted, such as requests and tokens."""

MILLIONTH = Decimal("0.000001")
"""The unit of amounts of money."""


class Shard(Struct, frozen=True):
    """The part with this ``number``, from 1, of ``count`` parts."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Parse ``I/N``. Raises ``ValueError``."""
        match = _WRITTEN.fullmatch(text)
        if match is None or int(match[1]) > int(match[2]):
            raise ValueError(text)
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def takes(self, key: str) -> bool:
        """Return whether what has this id belongs to the shard."""
        return shard_of(key, self.count) == self.number

    def share(self, amount: float, unit: Decimal = WHOLE) -> float:
        """Return the shard's share of an amount, in multiples of ``unit``.

        As decimal numbers, the shares of all shards add up to the amount; the first ones get the remainder.
        An amount with more decimal places than the unit is divided in steps of its last place.
        """
        whole = Decimal(repr(amount)).normalize()
        step = min(unit, Decimal(1).scaleb(int(whole.as_tuple().exponent)))
        quotient, remainder = divmod(int(whole / step), self.count)
        return float((quotient + (self.number <= remainder)) * step)

    def output_of(self, output: Path) -> Path:
        """Return the shard's output beside that of the whole job: ``name.2-of-3.jsonl``."""
        return output.with_name(f"{output.stem}.{self.number}-of-{self.count}{output.suffix}")


def shard_of(key: str, count: int) -> int:
    """Return the number, from 1, of the shard that an id belongs to: a hash of its text in UTF-8."""
    digest = blake2b(well_formed(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest) % count + 1


def without_shard(name: str) -> str:
    """Return the name of the whole job's file for that of a shard; other names are unchanged."""
    return _IN_NAME.sub("", name, count=1)
