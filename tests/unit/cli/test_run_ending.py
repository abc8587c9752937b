"""The last lines of a run: which lines there are; the words are in the golden messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batch.cli.run_ending import ending
from batch.failure_codes import FAILURE_CODES, retry_may_help
from batch.run_summary import Summary

JOB = Path("job.yaml")


def summary_of(folder: Path, **changed: Any) -> Summary:
    values: dict[str, Any] = {
        "schema_version": 1,
        "name": "job",
        "output": str(folder / "job.jsonl"),
        "exit_code": 1,
        "total": 9,
        "succeeded": 1,
        "failed": 0,
        "pending": 0,
        "sent": 9,
        "attempts": 9,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "cost": None,
        "unmetered": 0,
        "seconds": 1.0,
        "reasons": [],
        "orphans": 0,
        "resumed": 0,
        "codes": {},
        "latency": None,
        "first_byte": None,
        "started_at": "",
        "ended_at": "",
        "job_sha256": None,
        "versions": {},
    }
    return Summary(**(values | changed))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.jsonl.log").touch()
    return tmp_path


def commands(lines: list[str]) -> list[str]:
    """The commands that the lines name."""
    return [line.split("`")[1] for line in lines if "`promptjobs " in line]


@pytest.mark.parametrize(
    ("codes", "exit_code", "expected"),
    [
        ({"http_500": 1}, 1, ["promptjobs show job.jsonl a", "promptjobs retry job.yaml"]),
        ({"truncated": 1}, 75, ["promptjobs show job.jsonl a", "promptjobs retry job.yaml"]),
        ({"bad_request": 1}, 1, ["promptjobs show job.jsonl a"]),
        ({"bad_row": 1}, 1, ["promptjobs show job.jsonl a"]),
        (
            {"bad_request": 1, "idle_timeout": 2},
            1,
            ["promptjobs show job.jsonl a", "promptjobs retry job.yaml"],
        ),
        ({"not_sse": 1}, 7, ["promptjobs show job.jsonl a"]),
    ],
)
def test_the_commands_that_help(
    folder: Path, codes: dict[str, int], exit_code: int, expected: list[str]
) -> None:
    failures = {"a": next(iter(codes))}
    summary = summary_of(folder, failed=1, codes=codes, failures=failures, exit_code=exit_code)
    assert commands(ending(summary, JOB)) == expected


@pytest.mark.parametrize(
    ("name", "argument"), [("a b", "'a b'"), ("-x", "-- -x"), ("it's", "'it'\"'\"'s'"), ("$(x)", "'$(x)'")]
)
def test_an_id_is_an_argument_of_a_shell(folder: Path, name: str, argument: str) -> None:
    summary = summary_of(folder, failed=1, codes={"filtered": 1}, failures={name: "filtered"})
    assert commands(ending(summary, JOB)) == [f"promptjobs show job.jsonl {argument}"]


def test_five_are_named_and_the_others_counted(folder: Path) -> None:
    failures = dict.fromkeys("abcde", "filtered")
    lines = ending(summary_of(folder, failed=8, codes={"filtered": 8}, failures=failures), JOB)
    assert sum(f"{name} (filtered)" in lines[1] for name in "abcde") == 5
    assert lines[1].endswith("and 3 more")


@pytest.mark.parametrize(
    ("changed", "is_named"),
    [
        ({"failed": 1, "codes": {"filtered": 1}}, True),
        ({"exit_code": 7, "pending": 9}, True),
        ({"exit_code": 75, "pending": 9}, True),
        ({"exit_code": 8, "pending": 9}, False),
        ({"exit_code": 130, "pending": 9}, False),
        ({"exit_code": 0}, False),
    ],
)
def test_the_log_is_named_where_it_says_more(folder: Path, changed: dict[str, Any], is_named: bool) -> None:
    assert ("  log: job.jsonl.log" in ending(summary_of(folder, **changed), JOB)) is is_named


def test_a_log_that_could_not_be_written_is_not_named(folder: Path) -> None:
    (folder / "job.jsonl.log").unlink()
    assert ending(summary_of(folder, exit_code=7), JOB)[1:] == []


CANNOT_HELP = {
    "payment_required",
    "forbidden",
    "bad_request",
    "redirect",
    "too_large",
    "empty_length",
    "length",
    "filtered",
    "unknown_finish",
    "bad_row",
    "unencodable",
}


def test_codes_of_requests_that_fail_the_same_way_again() -> None:
    assert {name for name in FAILURE_CODES if not retry_may_help(name)} == CANNOT_HELP
    assert retry_may_help("http_503")
