"""Blocks of texts: each value is found again, and a small budget keeps a fair sample."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.codec import well_formed
from batch.report.packing import FIRST, STEPS, Place, TextPacker, pack, rank
from tests.support.results_support import hostile_text


def unpacked(block: bytes) -> Any:
    return json.loads(zlib.decompress(b64decode(block)))


@given(st.lists(st.tuples(st.integers(0, FIRST), hostile_text), max_size=40))
def test_each_value_is_at_its_place(values: list[tuple[int, str]]) -> None:
    packer = TextPacker(10**9)
    places = [packer.add(rank, text) for rank, text in values]
    packer.finish()
    blocks = {number: unpacked(block) for number, block in packer.blocks()}
    assert packer.kept == len(values)
    for place, (_, text) in zip(places, values, strict=True):
        assert place is not None
        assert blocks[place.block][place.at] == well_formed(text)


def test_lone_surrogates_become_replacement_characters() -> None:
    assert unpacked(pack({"text": "a\ud800b"})) == {"text": "a\ufffdb"}


def test_a_full_block_is_closed() -> None:
    packer = TextPacker(10**9)
    places = [packer.add(0, "x" * 100_000) for _ in range(4)]
    assert places == [Place(0, 0), Place(0, 1), Place(0, 2), Place(1, 0)]


def test_the_lowest_ranks_are_dropped_first() -> None:
    packer = TextPacker(10**9)
    places = {rank: packer.add(rank, f"text {rank}") for rank in (5, 0, FIRST, 1)}
    packer.finish()
    sizes = {number: len(block) for number, block in packer.blocks()}
    assert set(sizes) == {0, 1, 2, 3}
    packer.shrink(sum(sizes.values()) - 1)
    kept = {number for number, _ in packer.blocks()}
    assert kept == {place.block for rank, place in places.items() if place and rank != 0}
    packer.shrink(0)
    assert packer.kept == 0
    assert packer.add(FIRST, "too late") is None


def test_what_is_dropped_is_not_packed_again() -> None:
    packer = TextPacker(1000)
    for number in range(3000):
        packer.add(rank(str(number), is_first=False), f"{number}".encode().hex() * 200)
    packer.finish()
    assert packer.size <= 1000


def test_ranks_halve_every_few_steps() -> None:
    ranks = Counter(rank(f"row {number}", is_first=False) for number in range(40_000))
    for step in range(STEPS):
        above = sum(count for level, count in ranks.items() if level >= step + STEPS)
        assert above / sum(count for level, count in ranks.items() if level >= step) == pytest.approx(
            0.5, abs=0.02
        )


def test_a_rank_depends_on_the_id_alone_and_failures_are_above_all_others() -> None:
    assert rank("a", is_first=False) == rank("a", is_first=False)
    assert rank("a", is_first=True) == rank("a", is_first=False) + FIRST
    assert rank("lone \ud800", is_first=False) >= 0
