"""The index of the result log behaves as a dict would, in a fraction of its memory."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from batch.records import Known
from batch.results.index import Index
from tests.results_support import hostile_text

fingerprints = st.binary(min_size=16, max_size=16).map(bytes.hex)
known = st.builds(Known, fingerprints, st.booleans(), st.booleans(), st.integers(0, 255))
puts = st.lists(st.tuples(st.integers(0, 200).map(str), known, st.integers(0, 2**50)), max_size=300)


@given(puts)
def test_it_is_a_map_to_the_latest_line(entries: list[tuple[str, Known, int]]) -> None:
    index, model, offsets = Index(), dict[str, Known](), dict[str, int]()
    for request_id, entry, offset in entries:
        assert index.put(request_id, entry, offset) == offsets.get(request_id)
        model[request_id], offsets[request_id] = entry, offset
    assert {request_id: index.get(request_id) for request_id in model} == model
    assert index.get("never put") is None
    assert len(index) == len(model)
    assert index.succeeded == sum(entry.succeeded for entry in model.values())


@given(hostile_text)
def test_any_text_is_an_id(request_id: str) -> None:
    index = Index()
    index.put(request_id, Known("0" * 32, succeeded=True), 0)
    assert index.get(request_id) == Known("0" * 32, succeeded=True)


@given(hostile_text)
def test_a_fingerprint_that_we_would_not_write_matches_nothing(fingerprint: str) -> None:
    index = Index()
    index.put("a", Known(fingerprint, succeeded=True), 0)
    assert index.get("a") == Known("", succeeded=True)


def test_a_row_takes_at_most_a_hundred_bytes() -> None:
    rows = 20_000
    entry = Known("0" * 32, succeeded=True)
    tracemalloc.start()
    try:
        index = Index()
        for number in range(rows):
            index.put(f"documents/{number}.txt", entry, number)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / rows <= 100
