"""Reclassification of stored lines by finish reason: outputs of earlier versions, and words added later."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from batch.codec import encode_result
from batch.finish_reasons import FinishReasons
from batch.records import Usage, Verdict
from batch.results.reclassification import Restate
from batch.results.result_log import ResultLog
from tests.support.results_support import failed, succeeded

if TYPE_CHECKING:
    from pathlib import Path

    from batch.records import Result
    from tests.support.chat_server import ChatServer
    from tests.support.cli_support import Cli

DONE_IS_COMPLETE = Restate(FinishReasons(complete=frozenset({"done"}), length=frozenset({"full"})))


# One line


@pytest.mark.parametrize(
    ("word", "status", "verdict", "code"),
    [
        ("stop", "succeeded", "complete", None),
        ("EOS", "succeeded", "complete", None),
        (None, "succeeded", "complete", None),
        ("null", "succeeded", "complete", None),
        ("done", "succeeded", "complete", None),
        ("MAX_TOKENS", "succeeded", "length", None),
        ("full", "succeeded", "length", None),
        ("error", "failed", None, "broken_off"),
        ("NETWORK_ERROR", "failed", None, "broken_off"),
        ("safety", "failed", None, "filtered"),
        ("other", "failed", None, "unknown_finish"),
    ],
)
def test_a_stored_success_is_reclassified_by_its_finish_reason(
    word: str | None, status: str, verdict: str | None, code: str | None
) -> None:
    stored = replace(succeeded("a", "Half"), finish_reason=word)
    stated = DONE_IS_COMPLETE(stored)
    assert (stated.status, stated.verdict, stated.error and stated.error.code) == (status, verdict, code)
    assert (stated.text, stated.partial_text) == (("Half", None) if code is None else (None, "Half"))
    assert (stated is stored) == (status == "succeeded" and verdict == "complete")
    assert (stated.error is None) == (code is None)
    assert stated.error is None or stated.error.retryable


def test_a_stored_answer_that_was_cut_at_its_limit_without_output() -> None:
    stated = DONE_IS_COMPLETE(replace(succeeded("a", ""), finish_reason="length", verdict=Verdict.LENGTH))
    assert stated.error is not None
    assert (stated.error.code, stated.error.retryable) == ("empty_length", False)


def test_if_the_job_does_not_accept_answers_cut_at_their_limit() -> None:
    stored = replace(succeeded("a"), finish_reason="MAX_TOKENS")
    stated = Restate(accepts_length=False)(stored)
    assert stated.error is not None
    assert (stated.error.code, stated.error.retryable) == ("length", True)
    judged = replace(stored, verdict=Verdict.LENGTH)
    assert Restate(accepts_length=False)(judged) is judged, "that was decided when it was written"


def unknown(word: str, **fields: Any) -> Any:
    line = failed("a", "unknown_finish", retryable=False)
    return replace(line, finish_reason=word, partial_text="All of it.", **fields)


@pytest.mark.parametrize(
    ("word", "verdict"), [("done", "complete"), ("Done", "complete"), ("full", "length")]
)
def test_a_failure_whose_finish_reason_is_now_known_is_an_answer(word: str, verdict: str) -> None:
    call = {"id": "a", "function": {"name": "f", "arguments": "{}"}}
    stated = DONE_IS_COMPLETE(unknown(word, reasoning="Hm.", tool_calls=[call], usage=Usage(3, 5, 8)))
    assert (stated.status, stated.verdict, stated.text) == ("succeeded", verdict, "All of it.")
    assert (stated.reasoning, stated.tool_calls, stated.usage) == ("Hm.", [call], Usage(3, 5, 8))
    assert (stated.error, stated.partial_text, stated.finish_reason) == (None, None, word)


@pytest.mark.parametrize(
    ("restate", "word", "retryable"),
    [
        (DONE_IS_COMPLETE, "other", False),
        (Restate(FinishReasons(complete=frozenset({"done"})), checks_form=lambda: True), "done", True),
        (Restate(FinishReasons(length=frozenset({"full"})), accepts_length=False), "full", True),
    ],
)
def test_a_failure_that_remains_a_failure(restate: Restate, word: str, retryable: bool) -> None:
    stated = restate(unknown(word))
    assert stated.error is not None
    assert (stated.status, stated.error.retryable) == ("failed", retryable)


@pytest.mark.parametrize("line", [failed("a"), failed("a", "truncated"), succeeded("a")])
def test_other_lines_are_not_changed(line: Any) -> None:
    assert DONE_IS_COMPLETE(line) is line


# The log


@pytest.mark.anyio
async def test_lines_are_rewritten_once_and_survive_a_killed_run(
    tmp_path: Path,
) -> None:
    path = tmp_path / "out.jsonl"
    with ResultLog.open(path) as log:
        await log.write(
            [
                succeeded("good"),
                replace(succeeded("half"), finish_reason="error"),
                replace(succeeded("cut"), finish_reason="MAX_TOKENS"),
                replace(failed("word", "unknown_finish"), finish_reason="done", partial_text="All."),
            ]
        )
    for written in (2, 0):
        with ResultLog.open(path, restate=DONE_IS_COMPLETE) as log:
            half = log.known("half")
            assert half is not None
            assert (half.succeeded, half.retryable, half.code, half.restated) == (
                False,
                True,
                "broken_off",
                True,
            )
            assert all((known := log.known(name)) and known.succeeded for name in ("good", "cut", "word"))
            assert await log.write_restated() == written
            assert log.contents.index.restated_codes() == {"broken_off": 1}
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [line["id"] for line in lines] == ["good", "half", "cut", "word", "cut", "word"], "nothing is lost"
    assert [(line["status"], line["verdict"]) for line in lines[-2:]] == [
        ("succeeded", "length"),
        ("succeeded", "complete"),
    ]
    with ResultLog.open(path, restate=DONE_IS_COMPLETE) as log:
        await log.finish()
    assert len(path.read_bytes().splitlines()) == 4


OTHER = "f" * 32


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("stored", "newer", "kept"),
    [
        (replace(succeeded("a", "Half"), finish_reason="error"), succeeded("a"), []),
        (replace(succeeded("a", "Half"), finish_reason="error"), succeeded("a", fingerprint=OTHER), []),
        (replace(succeeded("a", "Cut"), finish_reason="MAX_TOKENS"), None, []),
        (
            replace(succeeded("a", "Cut"), finish_reason="MAX_TOKENS"),
            succeeded("a", fingerprint=OTHER),
            [("succeeded", "length", "Cut")],
        ),
        (unknown("done"), None, []),
        (unknown("done"), succeeded("a", fingerprint=OTHER), [("succeeded", "complete", "All of it.")]),
        (unknown("other"), succeeded("a", fingerprint=OTHER), []),
        (succeeded("a", "Whole"), succeeded("a", fingerprint=OTHER), [("succeeded", "complete", "Whole")]),
    ],
    ids=["half", "half changed", "cut", "cut changed", "word", "word changed", "unknown", "whole"],
)
@pytest.mark.parametrize("dies", [False, True])
async def test_only_reclassified_answers_are_kept_once_when_superseded(
    tmp_path: Path, stored: Result, newer: Result | None, kept: list[tuple[str, str, str]], dies: bool
) -> None:
    path = tmp_path / "out.jsonl"
    with ResultLog.open(path) as log:
        await log.write([stored])
    with ResultLog.open(path, restate=DONE_IS_COMPLETE) as log:
        await log.write_restated()
        await log.write([] if newer is None else [newer])
        if not dies:
            await log.finish(keep=True)
    with ResultLog.open(path, restate=DONE_IS_COMPLETE) as log:
        await log.finish(keep=True)
    assert len(path.read_bytes().splitlines()) == 1
    superseded = tmp_path / "out.jsonl.superseded.jsonl"
    lines = superseded.read_bytes().splitlines() if superseded.exists() else []
    found = [json.loads(line) for line in lines]
    assert [(line["status"], line["verdict"], line["text"]) for line in found] == kept


@pytest.mark.anyio
async def test_lines_that_another_program_has_changed_are_read_by_their_finish_reason_too(
    tmp_path: Path,
) -> None:
    path = tmp_path / "out.jsonl"
    lines = [
        encode_result(replace(succeeded(name, "Half"), finish_reason=reason)).rstrip()
        for name, reason in [("a", "error"), ("b", "stop"), ("c", "error")]
    ]
    marked = [b"\xef\xbb\xbf" + line + b"\r\n" for line in lines]
    for content in (b"\r".join([*lines, b""]), b"".join(lines), b"".join(marked)):
        path.write_bytes(content)
        with ResultLog.open(path, restate=DONE_IS_COMPLETE) as log:
            read = {name: known for name in "abc" if (known := log.known(name)) is not None}
            assert read["b"].succeeded
            assert (read["a"].code, read["c"].code) == ("broken_off", "broken_off")


# Runs


def write_job(cli: Cli, url: str, more: str = "") -> None:
    rows = "".join(json.dumps({"id": name}) + "\n" for name in "abcde")
    (cli.folder / "rows.jsonl").write_text(rows)
    (cli.folder / "job.yaml").write_text(
        f"provider: openai\nmodel: m\nbase_url: {url}/v1\nprompt: 'about {{{{ id }}}}'\n"
        f"inputs: {{jsonl: rows.jsonl}}\n{more}"
    )


def stored(cli: Cli) -> dict[str, Any]:
    lines = (cli.folder / "output" / "job.jsonl").read_text(encoding="utf-8").splitlines()
    found = {line["id"]: line for line in map(json.loads, lines)}
    assert len(found) == len(lines)
    return found


def as_an_earlier_version(cli: Cli, reasons: dict[str, str]) -> None:
    """Give stored successes other finish reasons, and remove the keys of later versions."""
    lines = stored(cli)
    for name, reason in reasons.items():
        lines[name]["finish_reason"] = reason
    for line in lines.values():
        for key in ("target", "logprobs"):
            line.pop(key, None)
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines.values())
    (cli.folder / "output" / "job.jsonl").write_text(text)


def test_a_run_announces_and_resends_broken_off_answers(cli: Cli, server: ChatServer) -> None:
    write_job(cli, server.url)
    assert cli("run", "job.yaml").code == 0
    as_an_earlier_version(cli, {"a": "error", "b": "SAFETY", "c": "MAX_TOKENS", "d": "eos"})
    before = (cli.folder / "output" / "job.jsonl").read_bytes()
    checked = cli("check", "job.yaml", "--json")
    assert checked.code == 1
    found = json.loads(checked.stdout)
    assert found["restated"] == {"number": 3, "first": ["a", "b", "c"]}
    assert (found["succeeded"], found["failed"], found["sound"]) == (3, 2, False)
    dry = cli("run", "job.yaml", "--dry-run")
    assert "2 stored lines are not a whole answer" in dry.stdout + dry.stderr
    assert (cli.folder / "output" / "job.jsonl").read_bytes() == before, "neither changes anything"
    server.seen.clear()
    again = cli("run", "job.yaml")
    assert again.code == 0
    said = "2 stored lines are not a whole answer by the finish reason (1 broken_off, 1 filtered)"
    assert said in again.stderr
    assert sorted(server.prompts) == ["about a", "about b"]
    lines = stored(cli)
    assert {name: line["verdict"] for name, line in lines.items()} == {
        "a": "complete",
        "b": "complete",
        "c": "length",
        "d": "complete",
        "e": "complete",
    }
    assert lines["a"]["finish_reason"] == "stop"
    server.seen.clear()
    assert cli("run", "job.yaml").code == 0
    assert server.prompts == []
    assert cli("check", "job.yaml").code == 0


def test_nothing_is_sent_for_answers_with_a_finish_reason_that_the_job_has_added(
    cli: Cli, server: ChatServer
) -> None:
    server.finish_reason = "done"
    write_job(cli, server.url, "concurrency: 1\n")
    assert cli("run", "job.yaml").code != 0
    failures = [line for line in stored(cli).values() if line["status"] == "failed"]
    assert failures
    assert {line["error"]["code"] for line in failures} == {"unknown_finish"}
    assert {line["finish_reason"] for line in failures} == {"done"}
    answered = {line["id"]: line["partial_text"] for line in failures}
    server.seen.clear()
    write_job(cli, server.url, "concurrency: 1\nfinish_reasons: {complete: [DONE]}\n")
    assert cli("run", "job.yaml").code == 0
    assert not {f"about {name}" for name in answered} & set(server.prompts), "none of them is sent again"
    lines = stored(cli)
    assert {line["status"] for line in lines.values()} == {"succeeded"}
    assert {name: lines[name]["text"] for name in answered} == answered
    assert lines["a"]["text"] == "echo: about a"
    assert cli("check", "job.yaml").code == 0


def test_finish_reasons_are_not_part_of_a_requests_identity(cli: Cli, server: ChatServer) -> None:
    write_job(cli, server.url)
    assert cli("run", "job.yaml").code == 0
    write_job(cli, server.url, "finish_reasons: {complete: [done], length: full}\n")
    server.seen.clear()
    assert cli("run", "job.yaml").code == 0
    assert server.prompts == []


def change_prompt(cli: Cli) -> None:
    text = (cli.folder / "job.yaml").read_text()
    assert "'about {{" in text
    (cli.folder / "job.yaml").write_text(text.replace("'about {{", "'all about {{"))


def test_a_partial_answer_is_not_kept_as_a_superseded_answer(cli: Cli, server: ChatServer) -> None:
    write_job(cli, server.url)
    assert cli("run", "job.yaml").code == 0
    as_an_earlier_version(cli, {"a": "error", "b": "error", "c": "MAX_TOKENS"})
    change_prompt(cli)
    again = cli("run", "job.yaml")
    assert again.code == 0
    said = "5 of 5 requests have changed since their last results; their 3 succeeded answers move to"
    assert said in again.stderr
    superseded = cli.folder / "output" / "job.jsonl.superseded.jsonl"
    kept = [json.loads(line) for line in superseded.read_text(encoding="utf-8").splitlines()]
    assert {line["id"]: line["verdict"] for line in kept} == {"c": "length", "d": "complete", "e": "complete"}
    assert {line["text"] for line in stored(cli).values()} == {f"echo: all about {name}" for name in "abcde"}


def test_changed_requests_whose_answers_were_broken_off_are_no_reason_to_refuse(
    cli: Cli, server: ChatServer
) -> None:
    refuse = "output: {on_change: refuse}\n"
    write_job(cli, server.url, refuse)
    assert cli("run", "job.yaml").code == 0
    as_an_earlier_version(cli, dict.fromkeys("abcd", "error"))
    change_prompt(cli)
    refused = cli("run", "job.yaml")
    assert refused.code == 2
    assert "5 of 5 requests have changed" in refused.stderr
    assert "their 1 succeeded answer would be superseded" in refused.stderr
    as_an_earlier_version(cli, {"e": "error"})
    assert cli("run", "job.yaml").code == 0
    assert not (cli.folder / "output" / "job.jsonl.superseded.jsonl").exists()


def test_a_job_that_restates_the_lines_of_another_is_recorded_before(cli: Cli, server: ChatServer) -> None:
    """Also where it then cannot send anything: the file has been written to."""
    write_job(cli, server.url)
    assert cli("run", "job.yaml").code == 0
    as_an_earlier_version(cli, {"c": "MAX_TOKENS", "a": "error"})
    (cli.folder / "job.yaml").rename(cli.folder / "other.yaml")
    with (cli.folder / "other.yaml").open("a") as job:
        job.write("api_key_env: NO_SUCH_KEY\n")
    ended = cli("run", "other.yaml", "-o", "output/job.jsonl")
    assert "NO_SUCH_KEY" in ended.stderr
    assert ended.code == 2
    owner = json.loads((cli.folder / "output" / "job.jsonl.job.json").read_text())
    lines = (cli.folder / "output" / "job.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["verdict"] for line in lines if '"id":"c"' in line] == ["complete", "length"]
    assert owner["written"].endswith("other.yaml")


def test_status_show_and_export_read_earlier_versions_as_a_run_does(cli: Cli, server: ChatServer) -> None:
    write_job(cli, server.url, "output: {order: input}\n")
    assert cli("run", "job.yaml").code == 0
    as_an_earlier_version(cli, {"a": "error", "b": "SAFETY", "c": "MAX_TOKENS", "d": "eos"})
    for source in ("job.yaml", "output/job.jsonl"):
        counts = json.loads(cli("status", source, "--json").stdout)
        assert counts["succeeded"] == 3
        assert counts["failed"] == {"broken_off": 1, "filtered": 1}
        shown = json.loads(cli("show", source, "a", "--json").stdout)
        assert (shown["result"]["status"], shown["result"]["error"]["code"]) == ("failed", "broken_off")
        exported = cli("export", source, "--format", "openai-batch", "-o", "answers.jsonl")
        assert exported.code == 0, exported.stderr
        lines = map(json.loads, (cli.folder / "answers.jsonl").read_text().splitlines())
        assert [line["custom_id"] for line in lines] == ["c", "d", "e"]
        (cli.folder / "answers.jsonl").unlink()


def test_without_its_job_an_output_keeps_answers_with_unknown_finish_reasons(
    cli: Cli, server: ChatServer
) -> None:
    write_job(cli, server.url)
    assert cli("run", "job.yaml").code == 0
    as_an_earlier_version(cli, {"a": "done"})
    assert json.loads(cli("status", "output/job.jsonl", "--json").stdout)["succeeded"] == 5
    assert json.loads(cli("status", "job.yaml", "--json").stdout)["succeeded"] == 4
