"""``status``, ``show`` and ``check``: what a person can ask of results, and what a program can."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from batch.codec import decode_result, encode_result
from batch.records import Mishap, ResultError, Usage
from tests.support import job_files
from tests.support.golden_messages import check_words
from tests.support.results_support import failed, succeeded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Ended
    from tests.support.chat_server import ChatServer
    from tests.support.cli_support import Cli


@pytest.fixture
def job(cli: Cli, server: ChatServer) -> Path:
    """``job.yaml``: the letters a to e, of which the server has answered three."""
    write_job(cli, server, "abc")
    assert cli("run", "job.yaml", "-q").code == 0
    return write_job(cli, server, "abcde")


def write_job(cli: Cli, server: ChatServer, rows: str, prompt: str = "about") -> Path:
    prompts = {row: f"{prompt} {row}" for row in rows}
    return job_files.write_job(cli.folder, server.url, prompts, provider="autonomous", model="llama")


def output(cli: Cli) -> Path:
    return cli.folder / "output" / "job.jsonl"


def as_json(ended: Ended) -> dict[str, Any]:
    assert ended.stderr == ""
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def words(ended: Ended) -> list[str]:
    assert (ended.code, ended.stderr) == (0, "")
    return ended.stdout.splitlines()


# status


def test_status_as_json(cli: Cli, job: Path, server: ChatServer) -> None:
    with output(cli).open("ab") as file:
        file.write(encode_result(replace(failed("orphan"), cost=0.25, usage=Usage(1, 1, 2))))
        file.write(encode_result(failed("d", "bad_request", retryable=False)) * 2)
    before = output(cli).read_bytes()
    found = as_json(cli("status", "job.yaml", "--json"))
    states = {"total": 5, "done": 3, "pending": 2, "new": 1, "stale": 1, "failed": 0, "given_up": 0}
    assert found == {
        "schema_version": 1,
        "output": str(output(cli)),
        "running": None,
        "progress": None,
        "requests": states,
        "succeeded": 3,
        "failed": {"http_500": 1, "bad_request": 1},
        "prompt_tokens": 10,
        "completion_tokens": 7,
        "cached_tokens": 0,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "cost": 0.25,
        "currency": "USD",
        "provider_costs": 0,
        "unpriced": 3,
        "orphans": 1,
        "superseded": 1,
        "unreadable": 0,
        "torn": False,
        "shards": [],
    }
    assert as_json(cli("status", "output/job.jsonl", "--json"))["requests"] is None
    assert output(cli).read_bytes() == before


def test_status_in_words(cli: Cli, job: Path, server: ChatServer) -> None:
    with output(cli).open("ab") as file:
        file.write(encode_result(replace(failed("d"), cost=0.25)))
        file.write(encode_result(replace(failed("d"), cost=0.5)))
    server.refused = "no"
    cli("run", "job.yaml", "-q")
    lines = words(cli("status", "job.yaml"))
    assert [line.split()[:2] for line in lines[2:5]] == [
        ["requests", "5"],
        ["succeeded", "3"],
        ["failed", "2;"],
    ]
    check_words("status", "two rejected requests", lines, cli.folder)
    with output(cli).open("ab") as file:
        file.write(encode_result(replace(failed("d"), cost=0.5)) * 2)
    lines = words(cli("status", "job.yaml"))
    assert [line.split()[:2] for line in lines[2:5]] == [
        ["requests", "5"],
        ["succeeded", "3"],
        ["failed", "1;"],
    ]
    check_words("status", "stale, rejected and superseded lines", lines, cli.folder)


def test_status_of_an_empty_file(cli: Cli) -> None:
    (cli.folder / "empty.jsonl").touch()
    check_words("status", "an empty output", words(cli("status", "empty.jsonl")))


# show


def test_show_prints_the_messages_and_the_answer(cli: Cli, job: Path) -> None:
    shown = words(cli("show", "job.yaml", "b"))
    assert [line.split()[-1] for line in shown[:2]] == ["b", "succeeded"]
    check_words("show", "a succeeded request", [*shown[:6], *shown[8:]])
    check_words("show", "a pending request", words(cli("show", "job.yaml", "e")))


def test_show_says_where_messages_can_be_had(cli: Cli, job: Path) -> None:
    (line,) = [line for line in words(cli("show", "output/job.jsonl", "b")) if line.startswith("messages")]
    check_words("show", "an output without messages", [line])
    messages = [{"role": "user", "content": "about b"}]
    old = decode_result(output(cli).read_bytes().splitlines()[1])
    output(cli).write_bytes(encode_result(replace(old, messages=messages)))
    assert "  about b" in words(cli("show", "output/job.jsonl", "b"))


def test_show_prints_the_latest_line_and_whether_it_is_stale(cli: Cli, job: Path, server: ChatServer) -> None:
    with output(cli).open("ab") as file:
        file.write(encode_result(succeeded("b", "an older answer")))
        file.write(encode_result(succeeded("b", "the latest answer")))
    found = cli("show", "job.yaml", "b")
    check_words("show", "a stale request", words(found)[:2])
    assert "the latest answer" in found.stdout
    assert "older" not in found.stdout
    write_job(cli, server, "a")
    assert "the latest answer" in cli("show", "job.yaml", "b").stdout


def test_show_prints_the_history_of_errors(cli: Cli) -> None:
    history = [Mishap("http_503", f"try {number}", f"2026-11-22T03:00:0{number}Z") for number in (1, 2)]
    error = ResultError("http_503", "overloaded", 503, retryable=True, runs=2, history=history)
    path = cli.folder / "results.jsonl"
    path.write_bytes(encode_result(replace(failed("a"), error=error)))
    shown = words(cli("show", "results.jsonl", "a"))
    assert [line for line in shown if line.endswith(("try 1", "try 2"))] == [
        "  2026-11-22T03:00:01Z  http_503: try 1",
        "  2026-11-22T03:00:02Z  http_503: try 2",
    ]
    check_words("show", "a failed request with a history", shown)


def test_show_as_json_is_the_line_itself(cli: Cli, job: Path) -> None:
    found = as_json(cli("show", "job.yaml", "b", "--json"))
    line = json.loads(output(cli).read_bytes().splitlines()[1])
    assert found == {
        "schema_version": 1,
        "id": "b",
        "stale": False,
        "messages": [{"role": "user", "content": "about b"}],
        "result": line,
    }
    assert as_json(cli("show", "job.yaml", "e", "--json"))["result"] is None


@pytest.mark.parametrize("request_id", ["ä", "a/b", 'a"b', "\u2028", "\x85", "\U0001f600"])
def test_any_id_is_found(cli: Cli, request_id: str) -> None:
    results = [succeeded("other", f"not {request_id}"), succeeded(request_id, "found"), succeeded("last")]
    path = cli.folder / "results.jsonl"
    path.write_bytes(b"".join(map(encode_result, results)))
    assert as_json(cli("show", "results.jsonl", request_id, "--json"))["result"]["text"] == "found"
    for_other_programs = "".join(json.dumps(json.loads(encode_result(result))) + "\n" for result in results)
    path.write_text(for_other_programs)
    assert as_json(cli("show", "results.jsonl", request_id, "--json"))["result"]["text"] == "found"


@pytest.mark.parametrize("target", ["job.yaml", "output/job.jsonl"])
def test_an_unknown_id_is_2(cli: Cli, job: Path, target: str) -> None:
    ended = cli("show", target, "row\x1b[31m")
    assert (ended.code, ended.stdout) == (2, "")
    assert "row\\x1b[31m" in ended.stderr


HOSTILE = "\x1b]0;title\x07 \x9b31m \u202e \x00 \u2028 \x85 \U000e0041 </script>\ttab\nline \r end"


def test_nothing_is_shown_raw(cli: Cli) -> None:
    mishap = Mishap("http_500", HOSTILE, HOSTILE)
    error = ResultError(HOSTILE, HOSTILE, None, retryable=True, runs=1, history=[mishap])
    results = [
        replace(succeeded("good", HOSTILE), reasoning=HOSTILE, served_by=HOSTILE, metadata={"x": HOSTILE}),
        replace(
            failed("bad"), error=error, partial_text=HOSTILE, messages=[{"role": HOSTILE, "content": HOSTILE}]
        ),
    ]
    (cli.folder / "results.jsonl").write_bytes(b"".join(map(encode_result, results)))
    for arguments in (
        ["show", "results.jsonl", "good"],
        ["show", "results.jsonl", "bad"],
        ["status", "results.jsonl"],
    ):
        for flags in ([], ["--json"]):
            ended = cli(*arguments, *flags)
            assert ended.code == 0
            assert all(character.isprintable() or character == "\n" for character in ended.stdout)
    assert as_json(cli("show", "results.jsonl", "good", "--json"))["result"]["text"] == HOSTILE


def test_a_long_answer_is_shown_whole(cli: Cli) -> None:
    text = "long " * 100_000
    (cli.folder / "results.jsonl").write_bytes(encode_result(succeeded("a", text)))
    assert f"  {text}" in words(cli("show", "results.jsonl", "a"))


def test_show_has_a_question_mark_for_tokens_that_were_not_counted(cli: Cli) -> None:
    result = replace(succeeded("a"), usage=Usage(None, 5))
    (cli.folder / "results.jsonl").write_bytes(encode_result(result))
    assert "tokens     ? in, 5 out; cost unknown" in words(cli("show", "results.jsonl", "a"))


# check


def test_check_proves_a_finished_job(cli: Cli, job: Path, server: ChatServer) -> None:
    cli("run", "job.yaml", "-q")
    check_words("check", "a finished job", words(cli("check", "job.yaml")), cli.folder)
    write_job(cli, server, "abcd")
    server.refused = "no"
    check_words("check", "an orphan", words(cli("check", "job.yaml")), cli.folder)


def test_a_failure_is_an_answer_too(cli: Cli, server: ChatServer) -> None:
    write_job(cli, server, "ab")
    server.refused = "no"
    assert cli("run", "job.yaml").code == 1
    found = cli("check", "job.yaml", "--json")
    assert (found.code, as_json(found)["failed"], as_json(found)["sound"]) == (0, 2, True)


def test_check_names_what_is_wrong(cli: Cli, job: Path, server: ChatServer) -> None:
    stale = encode_result(succeeded("d", "of another time"))
    with output(cli).open("ab") as file:
        file.write(encode_result(succeeded("x")) + stale + stale + b"nonsense\n" + b'{"partial')
    before = output(cli).read_bytes()
    ended = cli("check", "job.yaml")
    assert (ended.code, ended.stderr) == (1, "")
    check_words("check", "every kind of finding", ended.stdout, cli.folder)
    assert as_json(cli("check", "job.yaml", "--json"))["stale"] == {"number": 1, "first": ["d"]}
    assert output(cli).read_bytes() == before
    assert cli("run", "job.yaml", "-q").code == 0
    assert cli("check", "job.yaml").code == 0


def test_check_names_a_few_of_many_and_needs_no_output(cli: Cli, server: ChatServer) -> None:
    write_job(cli, server, "abcdefghijklm")
    ended = cli("check", "job.yaml")
    assert (ended.code, ended.stderr) == (1, "")
    check_words("check", "many missing requests", ended.stdout, cli.folder)
    assert not (cli.folder / "output").exists()


@pytest.mark.parametrize("command", ["check", "status", "show"])
def test_a_foreign_file_is_2(cli: Cli, job: Path, command: str) -> None:
    output(cli).write_text("name,age\n")
    ended = cli(command, "job.yaml", *(["a"] if command == "show" else []))
    assert (ended.code, ended.stdout) == (2, "")
    check_words(command, "a foreign output", ended.stderr, cli.folder)


@pytest.mark.parametrize("command", ["check", "status", "show", "export", "run"])
def test_an_output_that_cannot_be_read_is_named(cli: Cli, job: Path, command: str) -> None:
    """By its own name and not by the job's. A link to itself is one that not even root can read."""
    output(cli).unlink()
    output(cli).symlink_to(output(cli).name)
    more = {"show": ["a"], "export": ["--format", "csv", "-o", "x"], "run": ["--dry-run"]}.get(command, [])
    ended = cli(command, "job.yaml", *more)
    assert (ended.code, ended.stdout) == (2, "")
    assert str(output(cli)) in ended.stderr
    check_words(command, "an output that is a circular link", ended.stderr, cli.folder)


@pytest.mark.parametrize("command", ["check", "status", "show", "export", "run"])
def test_a_pipe_in_place_of_an_output_does_not_block(cli: Cli, job: Path, command: str) -> None:
    output(cli).unlink()
    os.mkfifo(output(cli))
    more = {"show": ["a"], "export": ["--format", "csv", "-o", "x"], "run": ["--dry-run"]}.get(command, [])
    ended = cli(command, "job.yaml", *more)
    assert (ended.code, ended.stdout) == (2, "")
    assert str(output(cli)) in ended.stderr
    check_words(command, "an output that is a pipe", ended.stderr, cli.folder)


def _circle(path: Path) -> None:
    path.symlink_to(path.name)


def _secret(path: Path) -> None:
    path.write_bytes(encode_result(succeeded("a")))
    path.chmod(0)


UNREADABLE = [
    pytest.param(_circle, "too many levels of symbolic links", id="circle"),
    pytest.param(os.mkfifo, "not a regular file", id="pipe"),
    pytest.param(
        _secret,
        "permission denied",
        id="secret",
        marks=pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything"),
    ),
]


@pytest.mark.parametrize(("make", "why"), UNREADABLE)
@pytest.mark.parametrize("command", ["check", "status", "show", "export"])
def test_a_file_that_cannot_be_read_is_not_judged_as_a_job(
    cli: Cli, command: str, make: Callable[[Path], object], why: str
) -> None:
    make(cli.folder / "results.jsonl")
    more = {"show": ["a"], "export": ["--format", "csv", "-o", "x"]}.get(command, [])
    ended = cli(command, "results.jsonl", *more)
    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr == f"results.jsonl: {why}\n1 error; nothing was sent\n"


@pytest.mark.parametrize("command", ["run", "retry", "check", "validate"])
def test_results_are_no_job_file(cli: Cli, job: Path, command: str) -> None:
    ended = cli(command, "output/job.jsonl")
    assert (ended.code, ended.stdout) == (2, "")
    first, _ = ended.stderr.splitlines()
    assert first.startswith("output/job.jsonl: ")
    check_words(command, "an output in place of a job file", ended.stderr)


@pytest.mark.parametrize("name", ["results.txt", "results", "results.ndjson"])
def test_an_output_is_known_by_what_it_holds(cli: Cli, name: str) -> None:
    (cli.folder / name).write_bytes(encode_result(succeeded("a", "The Elbe.")))
    assert as_json(cli("status", name, "--json"))["succeeded"] == 1
    assert as_json(cli("show", name, "a", "--json"))["result"]["text"] == "The Elbe."


def test_an_id_forges_no_line(cli: Cli, job: Path) -> None:
    assert len(cli("show", "job.yaml", "a\nb").stderr.splitlines()) == 1


def test_one_is_one(cli: Cli, server: ChatServer) -> None:
    write_job(cli, server, "a")
    check_words("validate", "a job of one request", cli("validate", "job.yaml").stderr)
    output(cli).parent.mkdir()
    output(cli).write_bytes(encode_result(succeeded("x")) * 2 + b"partial")
    check_words("status", "one line of each kind", words(cli("status", "job.yaml")), cli.folder)
