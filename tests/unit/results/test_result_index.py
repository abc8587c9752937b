"""The index of the result log behaves like a dict, in a fraction of its memory."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from batch.records import Known
from batch.results.index import Index
from tests.support.results_support import hostile_text

fingerprints = st.binary(min_size=16, max_size=16).map(bytes.hex)
codes = st.sampled_from(["", "http_500", "truncated"]) | hostile_text
known = st.builds(Known, fingerprints, st.booleans(), st.booleans(), st.integers(0, 255), codes)
puts = st.lists(st.none() | st.tuples(st.integers(0, 200).map(str), known), max_size=300)


def indexed(entries: list[tuple[str, Known] | None]) -> Index:
    """``None`` is an unreadable line."""
    index = Index()
    for entry in entries:
        index.put_unreadable() if entry is None else index.put(*entry)
    return index


@given(puts)
def test_it_is_a_map_to_the_latest_line(entries: list[tuple[str, Known] | None]) -> None:
    index = indexed(entries)
    model = dict(entry for entry in entries if entry)
    assert {request_id: index.get(request_id) for request_id in model} == model
    assert index.get("never put") is None
    assert len(index) == len(model)


@given(puts, st.lists(st.integers(0, 220).map(str)))
def test_every_line_is_of_one_kind(entries: list[tuple[str, Known] | None], asked: list[str]) -> None:
    index = indexed(entries)
    lines = {entry[0]: line for line, entry in enumerate(entries) if entry}
    claimed = [line for request_id in asked if (line := index.claim(request_id)) is not None]
    assert claimed == [lines[request_id] for request_id in dict.fromkeys(asked) if request_id in lines]
    unreadable = [line for line, entry in enumerate(entries) if entry is None]
    assert list(index.claimed()) == sorted(claimed)
    assert list(index.latest()) == sorted(lines.values())
    assert list(index.unclaimed()) == sorted(set(lines.values()) - set(claimed))
    assert list(index.unreadable_lines()) == unreadable
    kinds = [index.latest(), index.superseded_lines(), index.unreadable_lines()]
    assert sorted(line for kind in kinds for line in kind) == list(range(len(entries)))
    assert list(index.readable_lines()) == [line for line, entry in enumerate(entries) if entry]
    assert index.unreadable == len(unreadable)
    assert index.superseded == len(entries) - len(lines) - len(unreadable)


@given(hostile_text)
def test_any_text_is_an_id(request_id: str) -> None:
    index = indexed([(request_id, Known("0" * 32, succeeded=True))])
    assert index.get(request_id) == Known("0" * 32, succeeded=True)


@given(hostile_text | st.sampled_from(["A" * 32, "0 " * 16, " " * 32, "0" * 31 + "x"]))
def test_a_fingerprint_in_another_format_matches_nothing(fingerprint: str) -> None:
    index = indexed([("a", Known(fingerprint, succeeded=True))])
    assert index.get("a") == Known("", succeeded=True)


def test_more_codes_than_a_byte_can_count_share_the_last_one() -> None:
    index = indexed(
        [(str(number), Known("0" * 32, succeeded=False, code=f"code_{number}")) for number in range(300)]
    )
    found = [index.get(str(number)) for number in range(300)]
    assert [entry.code for entry in found if entry] == [f"code_{min(number, 254)}" for number in range(300)]


def test_a_row_takes_at_most_a_hundred_bytes_even_while_the_table_grows() -> None:
    entry = Known("0" * 32, succeeded=True)
    tracemalloc.start()
    try:
        index = Index()
        for rows in range(1, 17_000):
            index.put(f"documents/{rows}.txt", entry)
            if rows >= 1000:
                assert tracemalloc.get_traced_memory()[1] / rows <= 100
    finally:
        tracemalloc.stop()
