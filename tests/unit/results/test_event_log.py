"""The event log of an output: one line for each event, bounded in size, and never an obstacle for a run."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings

from batch.results.event_log import EventLog
from tests.support.results_support import hostile_text

if TYPE_CHECKING:
    from pathlib import Path

AT = datetime(2026, 11, 22, 3, 0, 0, 120_000, UTC)


class Events:
    """The log of ``results.jsonl`` at three in the morning."""

    def __init__(self, folder: Path, largest: int = 1_000_000) -> None:
        self.output = folder / "results.jsonl"
        self.troubles: list[str] = []
        self.log = EventLog(self.output, wall=lambda: AT, on_trouble=self.troubles.append, largest=largest)

    @property
    def text(self) -> str:
        return self.log.path.read_text(encoding="utf-8")


@pytest.fixture
def events(tmp_path: Path) -> Events:
    return Events(tmp_path)


def test_a_line_has_the_time_the_kind_and_the_text(events: Events) -> None:
    with events.log:
        events.log.write("start", "500 requests")
        events.log.write("retry", "row-5: http_503")
    assert events.log.path.name == "results.jsonl.log"
    assert events.text == (
        "2026-11-22T03:00:00.120Z start   500 requests\n2026-11-22T03:00:00.120Z retry   row-5: http_503\n"
    )


def test_a_log_without_events_leaves_no_file(events: Events, tmp_path: Path) -> None:
    events.log.close()
    assert list(tmp_path.iterdir()) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hostile_text)
def test_whatever_is_quoted_stays_on_its_line(tmp_path: Path, text: str) -> None:
    events = Events(tmp_path)
    with events.log:
        events.log.write("failed", text)
    assert events.text.count("\n") == 1
    assert all(character.isprintable() or character.isspace() for character in events.text)
    assert len(events.text.splitlines()) == 1
    events.log.path.unlink()


def test_a_run_appends_to_the_log_of_the_previous_one(events: Events, tmp_path: Path) -> None:
    for run in ("first", "second"):
        again = Events(tmp_path)
        again.log.write("start", run)
        again.log.close()
    assert [line.split()[-1] for line in events.text.splitlines()] == ["first", "second"]


def test_nothing_is_appended_to_a_partial_line(events: Events) -> None:
    events.log.path.write_text("2026-11-22T02:00:00.120Z retry   row-5: ht")
    with events.log:
        events.log.write("start", "again")
    partial, whole = events.text.splitlines()
    assert partial.endswith("row-5: ht")
    assert whole == "2026-11-22T03:00:00.120Z start   again"


def test_two_files_of_bounded_size_are_kept(tmp_path: Path) -> None:
    events = Events(tmp_path, largest=1000)
    with events.log:
        for number in range(100):
            events.log.write("retry", f"{number}")
    older = tmp_path / "results.jsonl.log.1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.jsonl.log", older.name]
    assert events.log.path.stat().st_size <= 1000
    assert 900 < older.stat().st_size <= 1000
    numbers = [int(line.split()[-1]) for line in (older.read_text() + events.text).splitlines()]
    assert numbers == list(range(numbers[0], 100))


def test_its_permissions_are_no_wider_than_those_of_the_results(events: Events) -> None:
    events.output.touch()
    events.output.chmod(0o600)
    events.log.write("start", "")
    events.log.close()
    assert events.log.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", ["a directory", "a pipe", "a link into nowhere"])
def test_a_log_that_cannot_be_written_is_reported_once(events: Events, kind: str) -> None:
    if kind == "a directory":
        events.log.path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(events.log.path)
    else:
        events.log.path.symlink_to(events.log.path.parent / "missing" / "log")
    with events.log:
        events.log.write("start", "")
        events.log.write("end", "")
    (trouble,) = events.troubles
    assert "results.jsonl.log cannot be written" in trouble


def test_a_pipe_with_a_reader_is_not_a_log_either(events: Events) -> None:
    os.mkfifo(events.log.path)
    reader = os.open(events.log.path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with events.log:
            events.log.write("start", "")
        assert os.read(reader, 100) == b""
    finally:
        os.close(reader)
    (trouble,) = events.troubles
    assert trouble.endswith("not a regular file")
