"""The sidecar files of a run: the summary for programs, and the log of events and their reasons."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from batch import __version__
from tests.support import job_files
from tests.support.chat_server import ChatServer
from tests.support.cli_support import Cli, served

if TYPE_CHECKING:
    from pathlib import Path


def write_job(cli: Cli, base_url: str, rows: int, **keys: Any) -> None:
    prompts = {f"row-{number}": f"about row-{number}" for number in range(rows)}
    job_files.write_job(cli.folder, base_url, prompts, provider="autonomous", model="llama", **keys)


def beside(cli: Cli, ending: str) -> Path:
    return cli.folder / "output" / f"job.jsonl{ending}"


def summary(cli: Cli) -> dict[str, Any]:
    text = beside(cli, ".summary.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def events(cli: Cli) -> list[tuple[str, str]]:
    """The kinds and the texts of the log's lines; the time of each is checked."""
    lines = beside(cli, ".log").read_text(encoding="utf-8").splitlines()
    found = [re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:]{8}\.\d{3}Z (\w+) +(.*)", line) for line in lines]
    return [(match[1], match[2]) for match in found if match]


def test_the_summaries_of_a_stopped_run_and_of_its_resumption(cli: Cli, server: ChatServer) -> None:
    write_job(cli, server.url, 10)
    first = cli("run", "job.yaml", "--limit", "4", "--json")
    assert summary(cli) == first.summary
    assert (first.code, first.summary["exit_code"], first.summary["resumed"]) == (8, 8, 0)
    second = cli("run", "job.yaml", "--json")
    found = summary(cli)
    assert found == second.summary
    assert {name: found[name] for name in ("schema_version", "exit_code", "resumed", "sent", "attempts")} == {
        "schema_version": 1,
        "exit_code": 0,
        "resumed": 4,
        "sent": 6,
        "attempts": 6,
    }
    for times in (found["latency"], found["first_byte"]):
        assert 0 < times["p50"] <= times["p90"] <= times["p99"] < 60
    assert found["job_sha256"] == hashlib.sha256((cli.folder / "job.yaml").read_bytes()).hexdigest()
    assert found["versions"]["promptjobs"] == __version__
    assert {"python", "aiohttp"} <= found["versions"].keys()
    assert found["started_at"] <= found["ended_at"]


def test_failures_are_counted_by_code_also_those_of_earlier_runs(cli: Cli, server: ChatServer) -> None:
    write_job(cli, server.url, 2)
    server.refused = "no \x1b[31m \u202e \x9b"
    assert cli("run", "job.yaml").code == 1
    assert (summary(cli)["codes"], summary(cli)["latency"]) == ({"bad_request": 2}, None)
    server.refused = None
    write_job(cli, server.url, 3)
    assert cli("run", "job.yaml").code == 1
    assert (summary(cli)["codes"], summary(cli)["resumed"]) == ({"bad_request": 2}, 2)
    for ending in (".summary.json", ".log"):
        text = beside(cli, ending).read_text(encoding="utf-8")
        assert not set("\x1b\u202e\x9b") & set(text)


def test_a_run_whose_endpoint_refuses_the_key_leaves_its_summary(cli: Cli) -> None:
    with served(ChatServer(key="right")) as server:
        write_job(cli, server.url, 3, api_key_env="A_KEY")
        assert cli("run", "job.yaml", "-q", A_KEY="wrong-key-0123456789").code == 7
    assert (summary(cli)["exit_code"], summary(cli)["pending"]) == (7, 3)
    assert "auth" in summary(cli)["reasons"][0]
    for ending in (".summary.json", ".log"):
        assert "wrong-key" not in beside(cli, ending).read_text(encoding="utf-8")


def test_a_run_that_sends_nothing_keeps_the_earlier_summary(cli: Cli, server: ChatServer) -> None:
    write_job(cli, server.url, 1)
    cli("run", "job.yaml")
    before = summary(cli)
    (cli.folder / "rows.jsonl").write_text("no row\n")
    assert cli("run", "job.yaml").code == 2
    assert summary(cli) == before
    assert events(cli)[-1][0] == "end"
    assert events(cli)[-1][1].startswith("JobFileError")


def test_a_write_error_of_the_output_is_in_the_summary_if_that_can_be_written(
    cli: Cli, server: ChatServer
) -> None:
    write_job(cli, server.url, 3)

    async def block() -> None:
        beside(cli, "").mkdir(exist_ok=True)

    server.before_answer = block
    assert cli("run", "job.yaml").code == 74
    assert (summary(cli)["exit_code"], summary(cli)["pending"]) == (74, 3)
    assert "could not be written" in summary(cli)["reasons"][0]
    assert [kind for kind, _ in events(cli)] == ["open", "start", "reason", "end"]


def test_the_log_has_the_reason_while_the_run_was_silent(cli: Cli, server: ChatServer) -> None:
    write_job(cli, server.url, 2)
    assert cli("run", "job.yaml", "-q") == cli("run", "job.yaml", "-q")
    output = beside(cli, "")
    output.write_bytes(output.read_bytes().replace(b"row-1", b"\xff") + b'{"schema')
    server.refused = "not today"
    ended = cli("run", "job.yaml", "-q")
    told = events(cli)
    assert [kind for kind, _ in told] == [
        *("open", "start", "counts", "end"),
        *("open", "start", "end"),
        *("open", "notice", "notice", "start", "failed", "counts", "end"),
    ]
    run = told[7:]
    assert run[0][1].startswith(f"promptjobs {__version__}, process ")
    assert "removed a partial last line" in run[1][1]
    assert "1 unreadable line moved to job.jsonl.corrupt" in run[2][1]
    assert run[3] == ("start", "2 requests, 1 of them need nothing more")
    assert run[4][0] == "failed"
    assert re.fullmatch(
        r"row-1: bad_request: POST http://127\.0\.0\.1:\d+/\S+ returned 400 Bad Request: not today", run[4][1]
    )
    assert run[5] == ("counts", "since the last line: succeeded 0, failed bad_request 1")
    assert re.fullmatch(r"exit code 1 after \d+\.\d s: 1 succeeded, 1 failed, 0 pending of 2", run[6][1]), (
        run[6]
    )
    assert ended.code == 1


def test_a_log_or_a_summary_that_cannot_be_written_ends_no_run(cli: Cli, server: ChatServer) -> None:
    write_job(cli, server.url, 2)
    for ending in (".log", ".summary.json"):
        beside(cli, ending).mkdir(parents=True)
    ended = cli("run", "job.yaml")
    assert (ended.code, len(server.seen)) == (0, 2)
    for ending in (".log", ".summary.json"):
        assert ended.stderr.count(f"job.jsonl{ending} cannot be written") == 1
