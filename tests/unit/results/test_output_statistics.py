"""The statistics of an output in ``status``: each request once, by its latest line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from batch.codec import encode_result
from batch.errors import ForeignOutputError
from batch.results.statistics import Statistics, summarise
from tests.support.results_support import failed, succeeded
from tests.support.simulated_disk import SimulatedDisk

PATH = Path("/results.jsonl")


def counted(content: bytes) -> Statistics:
    disk = SimulatedDisk()
    disk.put(PATH, content)
    counts, contents = summarise(PATH, files=disk)
    assert disk.operations == 0
    assert len(contents) == content.count(b"\n")
    return counts


def test_an_empty_file_counts_nothing() -> None:
    assert counted(b"") == Statistics()


def test_only_the_latest_line_of_a_request_counts() -> None:
    results = [
        failed("a"),
        failed("b", "bad_request"),
        succeeded("c"),
        succeeded("a"),
        failed("d"),
        failed("d"),
    ]
    assert counted(b"".join(map(encode_result, results))) == Statistics(
        succeeded=2,
        failed=Counter({"bad_request": 1, "http_500": 1}),
        prompt_tokens=6,
        completion_tokens=10,
        unpriced=2,
        superseded=2,
    )


def test_costs_are_added_up_where_they_are_known() -> None:
    priced = [replace(succeeded(name), cost=cost) for name, cost in [("a", 0.5), ("b", 0.25), ("a", 0.125)]]
    counts = counted(b"".join(map(encode_result, [*priced, succeeded("c"), failed("d")])))
    assert (counts.cost, counts.priced, counts.unpriced) == (0.375, 2, 1)


def test_damage_is_counted_and_not_changed() -> None:
    line = encode_result(succeeded("a"))
    counts = counted(line + b"\0\0\n" + encode_result(failed("b", "empty")) + line[:-9])
    assert (counts.succeeded, counts.failed) == (1, {"empty": 1})
    assert (counts.unreadable, counts.partial) == (1, True)


def test_files_of_another_program_are_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ForeignOutputError, match=r"table\.csv"):
        summarise(path)
    with pytest.raises(FileNotFoundError):
        summarise(tmp_path / "missing.jsonl")
