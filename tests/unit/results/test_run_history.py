"""The history of runs: whole lines or none, bounded, and never in the way of a run."""

from __future__ import annotations

import os
from functools import partial
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.errors import ForeignOutputError
from batch.results.filesystem import Disk
from batch.results.run_history import append_run, history_path, read_history
from batch.results.run_record import RecordedOptions, RunRecord, Timeline
from batch.run_summary import Summary
from tests.support.simulated_disk import FATES, Fate, PowerCutError, SimulatedDisk


def record(name: str = "job", padding: int = 0) -> RunRecord:
    summary = Summary(
        schema_version=1,
        name=name,
        output="out.jsonl",
        exit_code=0,
        total=1,
        succeeded=1,
        failed=0,
        pending=0,
        sent=1,
        attempts=2,
        prompt_tokens=3,
        completion_tokens=4,
        cost=None,
        unmetered=0,
        seconds=1.5,
        reasons=["x" * padding],
        orphans=0,
        resumed=0,
        codes={},
        latency=None,
        first_byte=None,
        started_at="2026-11-29T00:00:00Z",
        ended_at="2026-11-29T00:00:01Z",
        job_sha256=None,
        versions={},
    )
    timeline = Timeline(width=2.0, bins=2, succeeded=[1, 0], attempts=[1, 1], in_flight=[1.0, None])
    return RunRecord(1, summary, RecordedOptions(models=["m"], concurrency=8), timeline)


def names(records: list[RunRecord]) -> list[str]:
    return [each.summary.name for each in records]


def test_runs_are_read_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    assert read_history(output) == []
    for name in ("a", "b"):
        append_run(output, record(name))
    assert read_history(output) == [record("a"), record("b")]
    assert (tmp_path / "out.jsonl.runs.jsonl").read_bytes().count(b"\n") == 2


def test_hostile_text_cannot_act_on_a_terminal(tmp_path: Path) -> None:
    output, name = tmp_path / "out.jsonl", "\x1b]0;title\x07\u202e\u2028"
    append_run(output, record(name))
    assert history_path(output).read_text().strip("\n").isprintable()
    assert names(read_history(output)) == [name]


def test_it_has_the_mode_of_the_output(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    output.touch(0o600)
    append_run(output, record())
    assert history_path(output).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "tail",
    [
        b'{"sche',
        b'{"schema_version":1,"summary":{"name":',
        b"\0\0\0",
        b"not JSON",
    ],
)
def test_a_partial_last_line_is_ignored_and_then_removed(tmp_path: Path, tail: bytes) -> None:
    output = tmp_path / "out.jsonl"
    append_run(output, record("a"))
    with history_path(output).open("ab") as file:
        file.write(tail)
    assert names(read_history(output)) == ["a"]
    append_run(output, record("b"))
    assert names(read_history(output)) == ["a", "b"]
    assert tail not in history_path(output).read_bytes().replace(b'{"schema_version":1,"summary":{"s', b"")


def test_damaged_lines_and_lines_of_a_newer_version_are_skipped(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    append_run(output, record("a"))
    with history_path(output).open("ab") as file:
        file.write(b'\0\0\0\n{"schema_version":2,"summary":{"new":1}}\n[]\n' + b"[" * 5000 + b"\n")
    append_run(output, record("b"))
    assert names(read_history(output)) == ["a", "b"]


@pytest.mark.parametrize(
    "content", [b"my notes\n", b"my notes", b'{"id": 1}\n', b'{"schema_version":1,"id":"a"}\n']
)
def test_a_file_of_another_kind_is_not_touched(tmp_path: Path, content: bytes) -> None:
    output = tmp_path / "out.jsonl"
    history_path(output).write_bytes(content)
    with pytest.raises(ForeignOutputError, match="is not a history of runs"):
        append_run(output, record())
    assert history_path(output).read_bytes() == content
    assert read_history(output) == []


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    output, other = tmp_path / "out.jsonl", tmp_path / "other"
    append_run(other, record("a"))
    before = history_path(other).read_bytes()
    os.symlink(history_path(other), history_path(output))
    with pytest.raises(OSError, match="symbolic link"):
        append_run(output, record("b"))
    assert history_path(other).read_bytes() == before


def test_the_oldest_runs_are_removed_when_the_file_is_full(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    for number in range(100):
        append_run(output, record(str(number), padding=1000), max_bytes=20_000)
        assert history_path(output).stat().st_size <= 20_000
    found = names(read_history(output))
    assert found == [str(number) for number in range(100 - len(found), 100)]
    assert len(found) >= 5


def test_a_run_that_does_not_fit_replaces_all_others(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    append_run(output, record("a"), max_bytes=1000)
    append_run(output, record("b", padding=5000), max_bytes=1000)
    assert names(read_history(output)) == ["b"]


# On a failing disk


@pytest.mark.parametrize("max_bytes", [10_000, 1500], ids=["append", "replace"])
def test_after_an_error_the_file_is_as_before(tmp_path: Path, max_bytes: int) -> None:
    output = tmp_path / "out.jsonl"
    disk = SimulatedDisk()
    append_run(output, record("a"), files=disk)
    before = disk.content(history_path(output))
    disk.capacity = len(before) + 300
    with pytest.raises(OSError, match="No space left"):
        append_run(output, record("b"), files=disk, max_bytes=max_bytes)
    assert disk.content(history_path(output)) == before
    assert disk.names() == {"out.jsonl.runs.jsonl"}


@given(st.integers(1, 12), st.booleans(), st.lists(st.sampled_from(FATES), min_size=40, max_size=40))
def test_a_power_failure_loses_no_recorded_run_and_prevents_no_later_one(
    operation: int, is_full: bool, fates: list[Fate]
) -> None:
    output = Path("/nowhere/out.jsonl")
    disk, fate = SimulatedDisk(), cycle(fates)
    for name in ("a", "b"):
        append_run(output, record(name), files=disk)
    disk.power_fails_at = disk.operations + operation
    is_recorded = False
    try:
        append_run(output, record("c"), files=disk, max_bytes=1900 if is_full else 100_000)
        is_recorded = True
    except PowerCutError:
        pass
    disk.restart(partial(next, fate))
    found = names(read_history(output, files=disk))
    assert found[-1:] == ["c"] if is_recorded else set(found) <= {"a", "b", "c"}
    assert is_full or found[:2] == ["a", "b"]
    append_run(output, record("d"), files=disk)
    assert names(read_history(output, files=disk)) == [*found, "d"]


def test_an_unreadable_file_is_no_history(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    history_path(output).mkdir()
    assert read_history(output) == []
    with pytest.raises((OSError, ForeignOutputError)):
        append_run(output, record(), files=Disk())
