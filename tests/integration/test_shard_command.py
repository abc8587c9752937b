"""``--shard I/N`` with the other flags of ``run`` and ``retry``, with ``validate``, and in ``status``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.golden_messages import check_words
from tests.support.job_files import write_job

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.chat_server import ChatServer
    from tests.support.cli_support import Cli

# By `printf %s ID | b2sum -l 64`, modulo 3: shard 1 has c and f, shard 2 has g and h, shard 3 the others.
ROWS = {name: f"word {name}" for name in "abcdefgh"}
FIRST, SECOND, THIRD = ["word c", "word f"], ["word g", "word h"], ["word a", "word b", "word d", "word e"]
MERGE = ("merge", "output/job.1-of-3.jsonl", "output/job.2-of-3.jsonl", "output/job.3-of-3.jsonl")


def run(cli: Cli, shard: str, *flags: str) -> int:
    """The exit code of a run of a shard."""
    return cli("run", "job.yaml", "-q", "--shard", shard, *flags).code


def results(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def output(cli: Cli, server: ChatServer) -> Path:
    """The folder of the outputs of a job with eight rows."""
    write_job(cli.folder, f"{server.url}/v1", ROWS)
    return cli.folder / "output"


def test_each_shard_sends_its_own_requests(cli: Cli, server: ChatServer, output: Path) -> None:
    for shard, prompts in (("1/3", FIRST), ("2/3", SECOND), ("3/3", THIRD)):
        server.seen.clear()
        assert run(cli, shard) == 0
        assert sorted(server.prompts) == prompts
    assert len(results(output / "job.3-of-3.jsonl")) == 4
    assert not (output / "job.jsonl").exists()


def test_a_shard_resumes_from_its_own_output(cli: Cli, server: ChatServer, output: Path) -> None:
    assert run(cli, "3/3", "--limit", "1") == 8
    assert run(cli, "3/3") == 0
    assert sorted(server.prompts) == THIRD


def test_the_merged_output_counts_whatever_the_number_of_shards(
    cli: Cli, server: ChatServer, output: Path
) -> None:
    assert [run(cli, "1/3"), run(cli, "2/3")] == [0, 0]
    assert cli(*MERGE[:3], "-o", "output/job.jsonl").code == 0
    server.seen.clear()
    assert [run(cli, "1/2"), run(cli, "2/2")] == [0, 0]
    assert sorted(server.prompts) == THIRD
    parts = [str(path) for path in output.glob("job.*-of-2.jsonl")]
    assert cli("merge", *parts, "-o", "output/job.jsonl").code == 0
    assert cli("check", "job.yaml").code == 0
    assert cli("run", "job.yaml", "-q").code == 0
    assert sorted(server.prompts) == THIRD


def test_a_changed_request_is_sent_again_once(cli: Cli, server: ChatServer, output: Path) -> None:
    assert run(cli, "1/3") == 0
    assert cli(*MERGE[:2], "-o", "output/job.jsonl").code == 0
    write_job(cli.folder, f"{server.url}/v1", {**ROWS, "c": "another word"})
    server.seen.clear()
    assert [run(cli, "1/3"), run(cli, "1/3")] == [0, 0]
    assert server.prompts == ["another word"]
    ended = cli(*MERGE[:2], "-o", "output/job.jsonl")
    assert ended.code == 0
    found = {line["id"]: line["text"] for line in results(output / "job.jsonl")}
    assert found == {"c": "echo: another word", "f": "echo: word f"}
    assert [line["text"] for line in results(output / "job.jsonl.superseded.jsonl")] == ["echo: word c"]


def test_what_the_merged_output_knows_as_failed(cli: Cli, server: ChatServer, output: Path) -> None:
    server.refused = "too long"
    assert run(cli, "1/3") == 1
    assert cli(*MERGE[:2], "-o", "output/job.jsonl").code == 0
    server.seen.clear()
    summary = json.loads(cli("run", "job.yaml", "-q", "--json", "--shard", "1/1", "--only", "c").stdout)
    assert (summary["failed"], summary["sent"], summary["orphans"]) == (2, 0, 0)
    server.refused = None
    assert cli("retry", "job.yaml", "-q", "--shard", "1/1", "--only", "c").code == 8
    assert server.prompts == ["word c"]


def test_only_selects_requests_of_the_shard(cli: Cli, server: ChatServer, output: Path) -> None:
    assert run(cli, "3/3", "--only", "a") == 8
    assert server.prompts == ["word a"]
    ended = cli("run", "job.yaml", "--shard", "1/3", "--only", "a")
    assert ended.code == 2
    check_words("run", "--only with an id of another shard", ended.stderr, cli.folder)


def test_force_sends_again_what_the_merged_output_has(cli: Cli, server: ChatServer, output: Path) -> None:
    assert run(cli, "1/3") == 0
    assert cli(*MERGE[:2], "-o", "output/job.jsonl").code == 0
    assert run(cli, "1/3", "--force") == 0
    assert sorted(server.prompts) == sorted(FIRST * 2)


def test_retry_sends_what_the_shard_has_failed(cli: Cli, server: ChatServer, output: Path) -> None:
    server.refused = "no"
    assert run(cli, "1/3") == 1
    server.refused = None
    server.seen.clear()
    assert cli("retry", "job.yaml", "-q", "--shard", "1/3").code == 0
    assert sorted(server.prompts) == FIRST


def test_a_dry_run_counts_the_shard(cli: Cli, server: ChatServer, output: Path) -> None:
    assert run(cli, "3/3", "--limit", "1") == 8
    ended = cli("run", "job.yaml", "--dry-run", "--json", "--shard", "3/3")
    view = json.loads(ended.stdout)
    assert (view["total"], view["to_send"], view["output"]) == (4, 3, str(output / "job.3-of-3.jsonl"))
    check_words("run", "a dry run of a shard", ended.stderr, cli.folder)
    assert len(server.prompts) == 1


def test_a_dry_run_reads_the_merged_output(cli: Cli, server: ChatServer, output: Path) -> None:
    assert run(cli, "1/3") == 0
    assert cli(*MERGE[:2], "-o", "output/job.jsonl").code == 0
    ended = cli("run", "job.yaml", "--dry-run", "--json", "--shard", "1/1")
    assert (json.loads(ended.stdout)["to_send"], json.loads(ended.stdout)["states"]["done"]) == (6, 2)
    check_words("run", "a dry run after a merge", ended.stderr, cli.folder)


def test_a_dry_run_counts_by_the_line_that_decides(cli: Cli, server: ChatServer, output: Path) -> None:
    """The shard's own line of ``c`` says server_error, which a run retries, the merged one bad_request."""
    server.refused = "too long"
    assert run(cli, "1/3") == 1
    assert cli(*MERGE[:2], "-o", "output/job.jsonl").code == 0
    own = next(line for line in results(output / "job.1-of-3.jsonl") if line["id"] == "c")
    own["error"] |= {"code": "server_error", "retryable": True}
    (output / "job.1-of-1.jsonl").write_text(json.dumps(own) + "\n", encoding="utf-8")
    view = json.loads(cli("run", "job.yaml", "--dry-run", "--json", "--shard", "1/1").stdout)
    assert (view["to_send"], view["states"]["given_up"]) == (6, 2)
    assert (view["given_up"], view["failed"]) == ({"bad_request": 2}, {})


def test_validate_counts_the_shard(cli: Cli, server: ChatServer, output: Path) -> None:
    ended = cli("validate", "job.yaml", "--shard", "3/3")
    assert ended.code == 0
    check_words("validate", "a shard", ended.stderr, cli.folder)


SMALL: dict[str, dict[str, object]] = {
    "rpm": {"rate_limits": {"rpm": 2}},
    "tpm": {"rate_limits": {"tpm": 2}},
    "tokens": {"limits": {"tokens": 2}},
    "failures": {"limits": {"failures": 2}},
    "cost": {"limits": {"cost": 0.000002}, "model": {"model": "m", "price": {"input": 1, "output": 1}}},
}
"""Limits that are too small for three shards."""


def test_rates_and_budgets_are_divided(cli: Cli, server: ChatServer) -> None:
    job = write_job(
        cli.folder,
        f"{server.url}/v1",
        ROWS,
        rate_limits={"rpm": 600, "tpm": 90000},
        limits={"tokens": 3000, "time": "1h"},
        params={"max_tokens": 10},
    )
    ended = cli("validate", "job.yaml", "--shard", "1/3")
    check_words("validate", "a shard with limits", ended.stderr, cli.folder)
    settings = json.loads(job.read_text(encoding="utf-8"))
    for key, limits in SMALL.items():
        job.write_text(json.dumps({**settings, "rate_limits": {}, "limits": {}, **limits}), encoding="utf-8")
        ended = cli("run", "job.yaml", "--shard", "1/3")
        assert (ended.code, ended.stdout) == (2, "")
        check_words("run", f"a shard of a small {key}", ended.stderr, cli.folder)
    assert server.prompts == []


def test_the_token_limit_of_a_shard_is_its_share(cli: Cli, server: ChatServer) -> None:
    write_job(
        cli.folder,
        f"{server.url}/v1",
        ROWS,
        limits={"tokens": 60},
        params={"max_tokens": 10},
        concurrency=1,
    )
    assert run(cli, "3/3") == 8
    assert 0 < len(server.prompts) < 4
    assert "limits.tokens" in (cli.folder / "output" / "job.3-of-3.jsonl.log").read_text(encoding="utf-8")


SHARDS = ["0/3", "4/3", "a/b", "3"]


@pytest.mark.parametrize("shard", SHARDS)
@pytest.mark.parametrize("command", ["run", "retry", "validate"])
def test_what_is_not_a_shard_is_a_usage_error(cli: Cli, output: Path, command: str, shard: str) -> None:
    ended = cli(command, "job.yaml", "--shard", shard)
    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.splitlines()[-1] == (
        f"Error: Invalid value for '--shard': {shard!r} is not a shard; write I/N, with I from 1 to N, "
        "such as 1/3 for the first of three shards"
    )


def test_the_shard_may_come_from_the_environment(cli: Cli, server: ChatServer, output: Path) -> None:
    assert cli("run", "job.yaml", "-q", PROMPTJOBS_SHARD="1/3").code == 0
    assert sorted(server.prompts) == FIRST


def test_several_jobs_have_no_shards(cli: Cli, server: ChatServer, output: Path) -> None:
    ended = cli("run", "job.yaml", "job.yaml", "--shard", "1/3")
    assert ended.code == 2
    check_words("run", "--shard with several jobs", ended.stderr, cli.folder)
    assert server.prompts == []


def test_the_output_flag_names_the_whole_output(cli: Cli, server: ChatServer, output: Path) -> None:
    assert run(cli, "1/3", "-o", "elsewhere/a.jsonl") == 0
    assert len(results(cli.folder / "elsewhere" / "a.1-of-3.jsonl")) == 2


def test_status_names_the_command_that_merges(cli: Cli, server: ChatServer, output: Path) -> None:
    assert "shards" not in cli("status", "job.yaml").stdout
    assert [run(cli, "1/3"), run(cli, "2/3")] == [0, 0]
    status = cli("status", "job.yaml").stdout
    check_words("status", "shards that are not merged", status, cli.folder)
    names = ["job.1-of-3.jsonl", "job.2-of-3.jsonl"]
    found = json.loads(cli("status", "job.yaml", "--json").stdout)["shards"]
    assert found == [str(output / name) for name in names]
    assert cli(*MERGE[:3], "-o", "output/job.jsonl").code == 0
    assert "shards" not in cli("status", "job.yaml").stdout
    assert json.loads(cli("status", "job.yaml", "--json").stdout)["requests"]["done"] == 4


def test_a_run_warns_of_results_that_are_not_merged(cli: Cli, server: ChatServer, output: Path) -> None:
    assert run(cli, "1/3") == 0
    ended = cli("run", "job.yaml", "-q", "--limit", "0")
    check_words("run", "shards that are not merged", ended.stderr, cli.folder)
    assert "not merged" in cli("run", "job.yaml", "-q", "--limit", "0", "--shard", "1/2").stderr
    assert "not merged" not in cli("run", "job.yaml", "-q", "--limit", "0", "--shard", "2/3").stderr


def test_one_rows_file_with_bad_rows(cli: Cli, server: ChatServer) -> None:
    """With ``on_bad_row: skip`` a job is read while it runs; a bad row is recorded by its shard."""
    job = write_job(
        cli.folder, f"{server.url}/v1", ROWS, inputs={"jsonl": "rows.jsonl", "on_bad_row": "skip"}
    )
    with (job.parent / "rows.jsonl").open("a", encoding="utf-8") as rows:
        rows.write('{"id": "i"}\n')
    assert sorted([run(cli, "1/3"), run(cli, "2/3"), run(cli, "3/3")]) == [0, 0, 1]
    assert sorted(server.prompts) == sorted([*FIRST, *SECOND, *THIRD])
    assert cli(*MERGE, "-o", "output/job.jsonl").code == 0
    assert cli("check", "job.yaml").code == 0
    server.seen.clear()
    assert sorted([run(cli, "1/2"), run(cli, "2/2")]) == [0, 1]
    assert server.prompts == []
