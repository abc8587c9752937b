"""Shards: which ids they take, what they are called, and how amounts are divided among them."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.jobfile.shard import MILLIONTH, Shard, shard_of, without_shard

# The digests are those of `printf %s ID | b2sum -l 64`: as a number, modulo the number of shards, from 1.
SHARDS = [
    ("a", (2, 3, 3, 344)),  # 40f89e395b66422f
    ("b", (2, 3, 6, 334)),  # 8472c2e34d854f75
    ("doc.txt", (2, 1, 3, 164)),  # a96a77a53772437b
    ("reports/2026.pdf", (2, 1, 7, 326)),  # da7200687530aabd
    ("notes[1].txt", (2, 3, 4, 888)),  # af3ca4a8615961f7
    ("über.txt", (2, 3, 1, 828)),  # 98b1135b22977ee3
    ("日本語", (1, 1, 2, 465)),  # f419edd5d4267b48
]


@pytest.mark.parametrize(("key", "numbers"), SHARDS)
def test_the_shard_of_an_id_is_the_same_everywhere(key: str, numbers: tuple[int, ...]) -> None:
    assert tuple(shard_of(key, count) for count in (2, 3, 7, 1000)) == numbers


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_the_shard_does_not_depend_on_the_process(seed: str) -> None:
    code = "from batch.jobfile.shard import shard_of; print([shard_of(key, 1000) for key in ('a', '日本語')])"
    found = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code],
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        check=True,
        text=True,
    )
    assert found.stdout == "[344, 465]\n"


@given(st.text(), st.integers(1, 50))
def test_each_id_belongs_to_one_shard(key: str, count: int) -> None:
    assert sum(Shard(number, count).takes(key) for number in range(1, count + 1)) == 1


def test_an_unpaired_surrogate_is_hashed_as_a_line_holds_it() -> None:
    assert shard_of("\ud800", 1000) == shard_of("\ufffd", 1000)


def test_shards_are_about_equal() -> None:
    sizes = [sum(Shard(number, 4).takes(f"row-{row}") for row in range(4000)) for number in (1, 2, 3, 4)]
    assert sum(sizes) == 4000
    assert all(900 < size < 1100 for size in sizes)


@pytest.mark.parametrize(
    ("text", "shard"), [("1/3", Shard(1, 3)), ("3/3", Shard(3, 3)), ("1/1", Shard(1, 1))]
)
def test_a_shard_is_written_as_its_number_of_how_many(text: str, shard: Shard) -> None:
    assert Shard.parse(text) == shard
    assert str(shard) == text


@pytest.mark.parametrize(
    "text", ["0/3", "4/3", "a/b", "1", "1/", "/3", "1/0", "-1/3", "01/3", "1/3 ", "1.0/3", "1/3/5", "", "١/٣"]
)
def test_anything_else_is_no_shard(text: str) -> None:
    with pytest.raises(ValueError, match=r"^.*$"):
        Shard.parse(text)


SHARES = [
    (60.0, 3, [20, 20, 20]),
    (100.0, 3, [34, 33, 33]),
    (5, 4, [2, 1, 1, 1]),
    (3, 3, [1, 1, 1]),
    (90.5, 2, [45.3, 45.2]),
    (1e12, 7, [142857142858] + [142857142857] * 6),
]


@pytest.mark.parametrize(("amount", "count", "shares"), SHARES)
def test_counted_amounts_are_divided_with_exact_remainders(
    amount: float, count: int, shares: list[float]
) -> None:
    assert [Shard(number, count).share(amount) for number in range(1, count + 1)] == shares


COSTS = [
    (5.0, 3, [1.666667, 1.666667, 1.666666]),
    (0.1, 3, [0.033334, 0.033333, 0.033333]),
    (0.00000015, 2, [0.00000008, 0.00000007]),
]


@pytest.mark.parametrize(("amount", "count", "shares"), COSTS)
def test_money_is_divided_in_millionths(amount: float, count: int, shares: list[float]) -> None:
    assert [Shard(number, count).share(amount, MILLIONTH) for number in range(1, count + 1)] == shares


@given(st.integers(1, 10**12), st.integers(1, 100))
def test_the_shares_of_a_number_add_up_to_it(amount: int, count: int) -> None:
    shares = [Shard(number, count).share(amount) for number in range(1, count + 1)]
    assert sum(map(int, shares)) == amount
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True)


@given(
    st.decimals(Decimal("0.000001"), 10**8, places=6) | st.decimals(Decimal("0.001"), 10**6, places=2),
    st.integers(1, 100),
)
def test_the_shares_of_money_add_up_to_it_as_decimal_numbers(amount: Decimal, count: int) -> None:
    shares = [Shard(number, count).share(float(amount), MILLIONTH) for number in range(1, count + 1)]
    assert sum(Decimal(repr(share)) for share in shares) == amount


def test_the_output_of_a_shard_is_beside_that_of_the_job() -> None:
    output = Path("output/map.en.jsonl")
    assert Shard(2, 3).output_of(output) == Path("output/map.en.2-of-3.jsonl")
    assert without_shard("map.en.2-of-3.jsonl") == "map.en.jsonl"
    assert without_shard("map.2-of-3.jsonl.log") == "map.jsonl.log"
    assert without_shard("map.jsonl") == "map.jsonl"
    assert without_shard("2-of-3.jsonl") == "2-of-3.jsonl"
