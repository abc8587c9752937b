"""``-q``: a failure is named once; beside that, only what a user has to know is printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from batch.app.run.failure_news import NAMED
from batch.results.reported_failures import MAX_KEYS, ReportedFailures, read_reported, write_reported
from tests.conftest import Ended
from tests.support import job_files
from tests.support.chat_server import ChatServer
from tests.support.cli_support import Cli, on_terminal, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Command


class Refusing(ChatServer):
    """A server that refuses the prompts in ``refusing`` for good."""

    def __init__(self) -> None:
        super().__init__()
        self.refusing: set[str] = set()
        self.before_answer = self._perhaps_refuse

    async def _perhaps_refuse(self) -> None:
        if self.prompts[-1] in self.refusing:
            body = json.dumps({"error": {"message": f"{self.prompts[-1]} is not allowed"}})
            raise web.HTTPBadRequest(text=body, content_type="application/json")


@pytest.fixture
def server() -> Iterator[Refusing]:
    with served(Refusing()) as running:
        assert isinstance(running, Refusing)
        yield running


def write_job(folder: Path, server: ChatServer, *words: str, name: str = "job") -> None:
    prompts = {word: word for word in words}
    job_files.write_job(folder, server.url, prompts, name=name, provider="autonomous", model="llama")


def named(text: str) -> list[str]:
    """The failures that a run names, without their reasons."""
    lines = [line.strip() for line in text.splitlines()]
    return [": ".join(line.split(": ")[:2]) for line in lines if line.startswith(("failed", "still failed"))]


def test_failures_of_a_run_without_q_are_named_with_their_reasons(cli: Cli, server: Refusing) -> None:
    server.refusing = {"b"}
    write_job(cli.folder, server, "a", "b")
    assert cli("run", "job.yaml").code == 1
    assert not (cli.folder / "output" / "job.jsonl.reported.json").exists()
    ended = cli("run", "job.yaml", "-q")
    assert ended.code == 1
    assert "\n  failed: b: bad_request: POST " in ended.stderr
    assert "b is not allowed\n" in ended.stderr, "the output has the reason"
    assert cli("run", "job.yaml", "-q") == Ended(1, "", "")


@pytest.mark.anyio
async def test_q_is_the_same_on_a_terminal(promptjobs: Command, server: Refusing) -> None:
    server.refusing = {"b"}
    write_job(promptjobs.folder, server, "a", "b")
    shown = [(await on_terminal(promptjobs, "run", "job.yaml", "-q", env={})) for _ in range(2)]
    assert [(ended.code, named(ended.stderr)) for ended in shown] == [(1, ["failed: b"]), (1, [])]
    assert shown[1].stderr == ""


def test_json_is_printed_in_any_case(cli: Cli, server: Refusing) -> None:
    server.refusing = {"b"}
    write_job(cli.folder, server, "a", "b")
    assert cli("run", "job.yaml", "-q").code == 1
    ended = cli("run", "job.yaml", "-q", "--json")
    assert (ended.code, ended.summary["failed"], ended.stderr) == (1, 1, "")


def test_many_failures_are_named_up_to_a_bound_and_then_counted(cli: Cli, server: Refusing) -> None:
    words = [f"word-{number:02}" for number in range(NAMED + 3)]
    server.refusing = set(words)
    write_job(cli.folder, server, "fine", *words)
    ended = cli("run", "job.yaml", "-q", "-j", "1")
    assert named(ended.stderr) == [f"failed: {word}" for word in words[:NAMED]]
    assert "\n  and 3 more; `promptjobs show output/job.jsonl --failed` lists all\n" in ended.stderr
    assert cli("run", "job.yaml", "-q") == Ended(1, "", ""), "the others were counted once"


def test_a_part_of_a_run_forgets_nothing(cli: Cli, server: Refusing) -> None:
    server.refusing = {"b"}
    write_job(cli.folder, server, "a", "b", "c")
    assert cli("run", "job.yaml", "-q").code == 1
    write_job(cli.folder, server, "a", "b", "c", "d", "e")
    limited = cli("run", "job.yaml", "-q", "--limit", "1")
    assert (limited.code, named(limited.stderr)) == (8, [])
    assert "\n  1 known failure\n" in limited.stderr
    assert cli("run", "job.yaml", "-q") == Ended(1, "", "")


def test_a_changed_request_that_fails_is_new(cli: Cli, server: Refusing) -> None:
    server.refusing = {"b", "please b"}
    write_job(cli.folder, server, "a", "b")
    assert cli("run", "job.yaml", "-q").code == 1
    text = (cli.folder / "job.yaml").read_text()
    (cli.folder / "job.yaml").write_text(text.replace("{{ prompt }}", "please {{ prompt }}"))
    assert named(cli("run", "job.yaml", "-q").stderr) == ["failed: b"]


def test_each_job_of_several_has_its_own_record(cli: Cli, server: Refusing) -> None:
    server.refusing = {"b", "y"}
    write_job(cli.folder, server, "a", "b")
    write_job(cli.folder, server, "x", "y", name="other")
    for name in ("job", "other"):
        assert cli("run", f"{name}.yaml", "-q").code == 1
        assert (cli.folder / "output" / f"{name}.jsonl.reported.json").exists()
        assert cli("run", f"{name}.yaml", "-q") == Ended(1, "", "")


def test_a_job_that_was_not_run_is_not_passed_over_in_silence(cli: Cli, server: Refusing) -> None:
    server.refusing = {"b"}
    write_job(cli.folder, server, "a", "b")
    write_job(cli.folder, server, "x", name="other")
    first, second = (cli("run", "job.yaml", "other.yaml", "-q") for _ in range(2))
    assert (named(first.stderr), named(second.stderr)) == (["failed: b"], [])
    assert "\n  1 known failure\n" in second.stderr
    for ended in (first, second):
        assert ended.stderr.splitlines()[-1] == "other.yaml was not run: job.yaml is not complete"
    server.refusing = set()
    assert cli("retry", "job.yaml", "other.yaml", "-q") == Ended(0, "", "")


# The record


def test_a_record_is_bounded_and_replaced_in_one_step(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    output.touch(mode=0o600)
    write_reported(output, ReportedFailures(failures=[f"{number:016x}" for number in range(MAX_KEYS + 5)]))
    (tmp_path / ".out.jsonl.reported.json.tmp").write_text("left by a killed run")
    write_reported(output, read_reported(output))
    record = tmp_path / "out.jsonl.reported.json"
    assert len(read_reported(output).failures) == MAX_KEYS
    assert record.stat().st_size < 1_000_000
    assert record.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "out.jsonl.reported.json"]


def test_a_record_of_nothing_is_no_file(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    write_reported(output, ReportedFailures(failures=["0" * 16]))
    write_reported(output, ReportedFailures())
    assert list(tmp_path.iterdir()) == []
    assert read_reported(output) == ReportedFailures()


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b'{"failures": 3}',
        b'{"failures": [3]}',
        b'{"failures": ["0000000000000000"], "listed_at": "yesterday"}',
        b'{"failures": ["0000000000000000"], "listed_at": "2026-11-29T02:30:00"}',  # in which zone?
        b'{"failures": ["0000000000000000"], "schema_version": 2}',
        b"\xff" * 100,
        b"[" * 100_000,
        b'{"failures": ["' + b"0" * (1 << 21) + b'"]}',
    ],
)
def test_a_damaged_record_is_as_none(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "out.jsonl.reported.json").write_bytes(damage)
    assert read_reported(tmp_path / "out.jsonl") == ReportedFailures()


def test_a_record_that_is_no_file_of_its_own_is_not_read(tmp_path: Path) -> None:
    output, elsewhere = tmp_path / "out.jsonl", tmp_path / "elsewhere"
    write_reported(output, ReportedFailures(failures=["0" * 16]))
    record = tmp_path / "out.jsonl.reported.json"
    record.rename(elsewhere)
    record.symlink_to(elsewhere)
    assert read_reported(output) == ReportedFailures()
