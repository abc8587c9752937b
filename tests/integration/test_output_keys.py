"""The output options of a job: the order of lines, their content, and pruning."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from batch.codec import decode_result

if TYPE_CHECKING:
    from batch.records import Result
    from tests.support.chat_server import ChatServer
    from tests.support.cli_support import Cli


def write_job(cli: Cli, server: ChatServer, output: str, rows: str) -> None:
    """``job.yaml`` with rows that are named by letters."""
    (cli.folder / "rows.jsonl").write_text("".join(json.dumps({"id": row}) + "\n" for row in rows))
    (cli.folder / "job.yaml").write_text(
        f"provider: autonomous\nmodel: llama\nbase_url: {server.url}\nprompt: 'about {{{{ id }}}}'\n"
        f"system: be brief\ninputs: {{jsonl: rows.jsonl}}\noutput: {output}\n"
    )


def results(cli: Cli) -> list[Result]:
    lines = (cli.folder / "output" / "job.jsonl").read_bytes().splitlines(keepends=True)
    return [decode_result(line) for line in lines]


def ids(cli: Cli) -> str:
    return "".join(result.id for result in results(cli))


def test_the_order_is_that_of_the_job_whenever_a_run_ends(cli: Cli, server: ChatServer) -> None:
    write_job(cli, server, "{order: input}", "gec")
    assert cli("run", "job.yaml").code == 0
    assert ids(cli) == "gec"
    write_job(cli, server, "{order: input}", "abcdefgh")
    assert cli("run", "job.yaml", "--limit", "2").code == 8
    assert ids(cli) == "abceg"
    assert cli("run", "job.yaml").code == 0
    assert ids(cli) == "abcdefgh"
    write_job(cli, server, "{order: input}", "hgfedcba")
    assert cli("run", "job.yaml").code == 0
    assert ids(cli) == "hgfedcba"
    assert len(server.seen) == 8


def test_orphans_stay_and_are_reported_unless_they_are_pruned(cli: Cli, server: ChatServer) -> None:
    write_job(cli, server, "{order: input}", "abcd")
    cli("run", "job.yaml")
    write_job(cli, server, "{order: input}", "db")
    ended = cli("run", "job.yaml", "--json")
    assert (ended.code, ids(cli), ended.summary["orphans"]) == (0, "dbac", 2)
    assert "2 lines are of requests that the job no longer has; `--prune` removes them" in ended.stderr
    ended = cli("run", "job.yaml", "--prune", "--json")
    assert (ended.code, ids(cli), ended.summary["orphans"]) == (0, "db", 0)
    assert "no longer has" not in ended.stderr
    assert len(server.seen) == 4


def test_what_cannot_be_read_at_the_end_is_not_pruned(cli: Cli, server: ChatServer) -> None:
    write_job(cli, server, "{order: input}", "ba")
    cli("run", "job.yaml")
    write_job(cli, server, "{order: input}", "abc")

    async def spoil() -> None:
        (cli.folder / "rows.jsonl").write_text("no row\n")

    server.before_answer = spoil
    ended = cli("run", "job.yaml", "--prune")
    assert "neither pruned nor sorted" in ended.stderr
    assert sorted(ids(cli)) == ["a", "b", "c"]


def test_messages_are_a_part_of_a_line_where_they_are_asked_for(cli: Cli, server: ChatServer) -> None:
    write_job(cli, server, "{}", "a")
    cli("run", "job.yaml")
    write_job(cli, server, "{include: [messages]}", "ab")
    cli("run", "job.yaml")
    assert [(result.id, result.messages) for result in results(cli)] == [
        ("a", None),
        (
            "b",
            [{"role": "system", "content": "be brief"}, {"role": "user", "content": "about b"}],
        ),
    ]
    server.refused = "no"
    write_job(cli, server, "{include: messages}", "abc")
    cli("run", "job.yaml")
    (_, _, refused) = results(cli)
    assert (refused.status, refused.messages and refused.messages[1]["content"]) == ("failed", "about c")


@pytest.mark.parametrize(
    ("output", "diagnostic"),
    [
        ("{order: random}", "job.yaml:7:17: output.order: expected `completion` or `input`"),
        ("{include: [prompts]}", "job.yaml:7:20: output.include[0]: expected `messages`"),
    ],
)
def test_what_an_output_cannot_be(cli: Cli, server: ChatServer, output: str, diagnostic: str) -> None:
    write_job(cli, server, output, "a")
    ended = cli("run", "job.yaml")
    assert (ended.code, ended.stdout) == (2, "")
    assert diagnostic in ended.stderr
