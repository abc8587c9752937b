"""``on_bad_row: skip``: bad rows are recorded as failed, the others go out at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from batch.inputs import check
from tests.support.inputs_support import by_id, source
from tests.support.jobfile_support import HEAD, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.chat_server import ChatServer
    from tests.support.cli_support import Cli

TABLE = """\
id,word
a,one
b
c,three
c,again
,five
"d"x,six
e,seven
"""
SHAPE = "expected 2 fields, as the header has, got 1"
QUOTE = "text after a closing quote; inside quotes a quote is duplicate key"
TWICE = "duplicate id c; ids must be unique"


def _job(
    folder: Path, url: str, table: str = TABLE, head: str = "model: m", on_bad_row: str = "skip"
) -> Path:
    write(folder, table, "rows.csv")
    inputs = f"inputs: {{csv: rows.csv, id_field: id, on_bad_row: {on_bad_row}}}\n"
    return write(folder, f"provider: openai\nbase_url: {url}/v1\n{head}\nprompt: '{{{{ word }}}}'\n{inputs}")


def _lines(folder: Path) -> dict[str, dict[str, Any]]:
    file = folder / "output" / "job.jsonl"
    found = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert len({line["id"] for line in found}) == len(found)
    return {line["id"]: line for line in found}


def test_a_bad_row_is_a_request_without_a_target_in_its_place(tmp_path: Path) -> None:
    requests = source(_job(tmp_path, "http://h"))
    assert [(request.id, request.target) for request in requests.requests()] == [
        ("a", "m"),
        ("rows.csv:3", ""),
        ("c", "m"),
        ("rows.csv:5", ""),
        ("rows.csv:6", ""),
        ("rows.csv:7", ""),
        ("e", "m"),
    ]
    checked = check(requests)
    assert (checked.total, checked.by_target) == (3, {"m": 3})
    assert [str(bad).rpartition("rows.csv:")[2] for bad in checked.skipped] == [
        f"3:1: {SHAPE}",
        f"5:1: {TWICE}",
        "6:1: id: must not be empty",
        f"7:1: {QUOTE}",
    ]


def test_the_log_counts_a_job_once_all_of_it_has_been_read(cli: Cli, server: ChatServer) -> None:
    _job(cli.folder, server.url)
    assert cli("run", "job.yaml").code == 1
    log = (cli.folder / "output" / "job.jsonl.log").read_text(encoding="utf-8").splitlines()
    assert log[1].endswith(" start   requests are counted as they are read: see the end")
    assert log[-1].endswith(": 3 succeeded, 4 failed, 0 pending of 7")


def test_a_document_and_a_prompt_that_cannot_be_filled_keep_their_ids(tmp_path: Path) -> None:
    write(tmp_path, "fine", "a.txt")
    (tmp_path / "b.txt").write_bytes(b"\x00\xff")
    prompts = "prompts: [{id: p, prompt: '{{ text }}'}, {id: q, prompt: '{{ missing }}'}]\n"
    path = write(tmp_path, HEAD + prompts + "inputs: {files: '*.txt', on_bad_row: skip}\n")
    requests = by_id(source(path))
    assert [(name, request.target) for name, request in requests.items()] == [
        ("a.txt/p", "m"),
        ("a.txt/q", ""),
        ("b.txt", ""),
    ]


def test_bad_rows_are_recorded_and_the_others_sent(cli: Cli, tmp_path: Path, server: ChatServer) -> None:
    _job(tmp_path, server.url)
    ended = cli("run", "job.yaml", "--json")
    assert ended.code == 1
    summary = ended.summary
    assert [summary[key] for key in ("total", "succeeded", "failed", "pending", "attempts")] == [
        7,
        3,
        4,
        0,
        3,
    ]
    assert sorted(server.prompts) == ["one", "seven", "three"]
    lines = _lines(tmp_path)
    bad = {name: line["error"] for name, line in lines.items() if line["status"] == "failed"}
    assert {name: error["message"].rpartition("rows.csv:")[2] for name, error in bad.items()} == {
        "rows.csv:3": f"3:1: {SHAPE}",
        "rows.csv:5": f"5:1: {TWICE}",
        "rows.csv:6": "6:1: id: must not be empty",
        "rows.csv:7": f"7:1: {QUOTE}",
    }
    assert {(error["code"], error["retryable"]) for error in bad.values()} == {("bad_row", False)}
    assert {lines[name]["attempts"] for name in bad} == {0}


def test_the_same_command_again_sends_and_writes_nothing(
    cli: Cli, tmp_path: Path, server: ChatServer
) -> None:
    _job(tmp_path, server.url)
    cli("run", "job.yaml")
    before = (tmp_path / "output" / "job.jsonl").read_bytes()
    ended = cli("run", "job.yaml", "--json")
    summary = ended.summary
    assert (ended.code, summary["total"], summary["failed"], summary["sent"]) == (1, 7, 4, 0)
    assert (tmp_path / "output" / "job.jsonl").read_bytes() == before
    assert len(server.seen) == 3


def test_a_repaired_row_replaces_its_failure(cli: Cli, tmp_path: Path, server: ChatServer) -> None:
    write(tmp_path, "fine", "a.txt")
    (tmp_path / "b.txt").write_bytes(b"\x00\xff")
    head = f"provider: openai\nbase_url: {server.url}/v1\nmodel: m\n"
    inputs = "inputs: {files: '*.txt', on_bad_row: skip}\n"
    write(tmp_path, head + "prompt: '{{ text }}'\n" + inputs)
    assert cli("run", "job.yaml").code == 1
    assert _lines(tmp_path)["b.txt"]["error"]["code"] == "bad_row"
    write(tmp_path, "mended", "b.txt")
    assert cli("run", "job.yaml").code == 0
    assert {name: line["text"] for name, line in _lines(tmp_path).items()} == {
        "a.txt": "echo: fine",
        "b.txt": "echo: mended",
    }


def test_each_bad_row_is_recorded_once_for_all_models(cli: Cli, tmp_path: Path, server: ChatServer) -> None:
    _job(tmp_path, server.url, head="models: [m, n]")
    summary = cli("run", "job.yaml", "--json").summary
    assert [summary[key] for key in ("total", "succeeded", "failed")] == [10, 6, 4]
    assert len(_lines(tmp_path)) == 10


def test_what_a_limit_leaves_is_counted_all_the_same(cli: Cli, tmp_path: Path, server: ChatServer) -> None:
    _job(tmp_path, server.url)
    ended = cli("run", "job.yaml", "--limit", "1", "--json")
    summary = ended.summary
    assert ended.code == 8
    assert [summary[key] for key in ("total", "succeeded", "failed", "pending")] == [7, 1, 4, 2]


def test_a_table_of_bad_rows_alone_needs_no_endpoint(cli: Cli, tmp_path: Path) -> None:
    _job(tmp_path, "http://127.0.0.1:1", "id,word\na\nb\n")
    summary = cli("run", "job.yaml", "--json").summary
    assert [summary[key] for key in ("exit_code", "total", "failed", "attempts")] == [1, 2, 2, 0]


def test_the_first_request_goes_out_before_the_rest_is_read(
    cli: Cli, tmp_path: Path, server: ChatServer
) -> None:
    """Where reading fails in the end, what stands before has been sent; with ``stop`` nothing has."""
    table = "id,word\n" + "".join(f"r{number},w{number}\n" for number in range(50)) + 'x,"never closed\n'
    _job(tmp_path, server.url, table)
    ended = cli("run", "job.yaml")
    assert ended.code == 1
    assert "rows.csv:52:1: a quote that is opened and never closed" in ended.stderr
    assert len(_lines(tmp_path)) == len(server.seen) > 0
    seen = len(server.seen)
    _job(tmp_path, server.url, table, on_bad_row="stop")
    assert cli("run", "job.yaml").code == 2
    assert len(server.seen) == seen


def test_validate_and_status_know_of_bad_rows(cli: Cli, tmp_path: Path, server: ChatServer) -> None:
    _job(tmp_path, server.url)
    ended = cli("validate", "job.yaml")
    assert ended.code == 0
    assert f"rows.csv:3:1: {SHAPE} (skipped)" in ended.stderr
    assert "3 requests" in ended.stderr
    cli("run", "job.yaml")
    status = cli("status", "job.yaml")
    assert "4 bad_row" in status.stdout
    assert cli("check", "job.yaml").code == 0
    assert cli("run", "job.yaml", "--dry-run").code == 0


def test_what_is_found_while_the_job_runs_is_reported_too(
    cli: Cli, server: ChatServer, tmp_path: Path
) -> None:
    """Only the first document has been read by the time at which a run begins to send."""
    write(tmp_path, "one", "a.txt")
    (tmp_path / "b.txt").write_bytes(b"caf\xe9")
    inputs = 'inputs: {files: "*.txt", on_bad_row: skip}\n'
    write(
        tmp_path,
        f"provider: openai\nbase_url: {server.url}/v1\nmodel: m\nprompt: '{{{{ text }}}}'\n{inputs}",
    )
    ended = cli("run", "job.yaml")
    assert (ended.code, server.prompts) == (0, ["one", "café"])
    assert ended.stderr.count("b.txt is not UTF-8; it is read as Windows-1252") == 1
