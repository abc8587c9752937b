"""``promptjobs run A B``: in order, each in its own output, and no further than all is complete."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.chat_server import ChatServer
    from tests.support.cli_support import Cli


def write_job(folder: Path, name: str, base_url: str, more: str) -> None:
    (folder / f"{name}.yaml").write_text(
        f"provider: autonomous\nmodel: llama\nbase_url: {base_url}\n{more}\n", encoding="utf-8"
    )


def write_map_and_reduce(folder: Path, base_url: str) -> None:
    rows = [json.dumps({"id": word, "word": word}) for word in ("one", "two")]
    (folder / "rows.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    write_job(folder, "map", base_url, "prompt: 'map {{ word }}'\ninputs: {jsonl: rows.jsonl}")
    write_job(folder, "reduce", base_url, "prompt: 'reduce {{ id }}'\ninputs: {jsonl: output/map.jsonl}")


def results(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_second_reads_what_the_first_has_written(cli: Cli, server: ChatServer) -> None:
    write_map_and_reduce(cli.folder, server.url)
    ended = cli("run", "map.yaml", "reduce.yaml")
    assert (ended.code, ended.stdout) == (0, "")
    assert sorted(server.prompts) == ["map one", "map two", "reduce one", "reduce two"]
    assert [len(results(cli.folder / "output" / f"{name}.jsonl")) for name in ("map", "reduce")] == [2, 2]
    assert cli("run", "map.yaml", "reduce.yaml").code == 0
    assert len(server.prompts) == 4


def test_each_has_its_summary(cli: Cli, server: ChatServer) -> None:
    write_map_and_reduce(cli.folder, server.url)
    ended = cli("run", "--json", "-q", "map.yaml", "reduce.yaml")
    summaries = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [(one["name"], one["succeeded"]) for one in summaries] == [("map", 2), ("reduce", 2)]


@pytest.mark.parametrize(("flags", "code"), [(["--limit", "1"], 8), (["--limit", "0"], 8)])
def test_what_is_not_complete_is_the_last(cli: Cli, server: ChatServer, flags: list[str], code: int) -> None:
    write_map_and_reduce(cli.folder, server.url)
    ended = cli("run", *flags, "map.yaml", "reduce.yaml")
    assert ended.code == code
    assert ended.stderr.splitlines()[-1] == "reduce.yaml was not run: map.yaml is not complete"
    assert not any(prompt.startswith("reduce") for prompt in server.prompts)


def test_the_errors_of_all_are_named_before_anything_is_sent(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, "a", server.url, "prompt: hello\nparmas: {}")
    write_job(cli.folder, "b", server.url, "prompt: hello")
    write_job(cli.folder, "c", server.url, "prompt: '{{ text }'")
    ended = cli("run", "a.yaml", "b.yaml", "c.yaml")
    assert ended.code == 2
    assert ended.stderr.splitlines() == [
        "a.yaml:5:1: parmas: unknown key; did you mean `params`?",
        "c.yaml:4:10: prompt: not a template: `{{` is never closed; write `}}`",
        "2 errors; nothing was sent",
    ]
    assert server.prompts == []


def test_the_inputs_of_all_are_read_before_anything_is_sent(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, "a", server.url, "prompt: hello")
    write_job(cli.folder, "b", server.url, "prompt: '{{ word }}'\ninputs: {jsonl: missing.jsonl}")
    ended = cli("run", "a.yaml", "b.yaml")
    assert ended.code == 2
    assert "missing.jsonl: no such file" in ended.stderr
    assert server.prompts == []


def test_the_keys_of_all_are_looked_up_before_anything_is_sent(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, "a", server.url, "prompt: hello")
    write_job(cli.folder, "b", server.url, "prompt: hello\napi_key_env: SOME_KEY")
    ended = cli("run", "a.yaml", "b.yaml")
    assert ended.code == 2
    assert "SOME_KEY" in ended.stderr
    assert server.prompts == []


def test_one_output_for_several_is_wrong_usage(cli: Cli, server: ChatServer) -> None:
    write_map_and_reduce(cli.folder, server.url)
    ended = cli("run", "map.yaml", "reduce.yaml", "-o", "all.jsonl")
    assert ended.code == 2
    assert "--output names one file, and several job files write one each" in ended.stderr


def test_several_are_validated_together(cli: Cli, server: ChatServer) -> None:
    write_map_and_reduce(cli.folder, server.url)
    ended = cli("validate", "map.yaml", "reduce.yaml")
    assert (ended.code, ended.stdout) == (0, "")
    assert ended.stderr.splitlines() == [
        "map.yaml: no errors; 2 requests (llama 2)",
        "reduce.yaml: no errors; its requests depend on another job's results",
    ]


def test_settings_are_for_those_that_hold_a_request_a_line(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, "a", server.url, "prompt: hello")
    write_job(cli.folder, "settings", server.url, "name: b")
    (cli.folder / "b.jsonl").write_text('{"prompt": "a line"}\n', encoding="utf-8")
    assert cli("run", "-q", "a.yaml", "b.jsonl", "--with", "settings.yaml").code == 0
    assert server.prompts == ["hello", "a line"]


@pytest.mark.parametrize("command", ["run", "validate"])
def test_two_jobs_do_not_write_to_one_output(cli: Cli, server: ChatServer, command: str) -> None:
    """Each would find the other's results stale, and have them replaced."""
    write_job(cli.folder, "a", server.url, "prompt: hello")
    write_job(cli.folder, "b", server.url, "prompt: hello again\noutput: {path: output/a.jsonl}")
    ended = cli(command, "a.yaml", "b.yaml")
    assert (ended.code, server.prompts) == (2, [])
    output = cli.folder / "output" / "a.jsonl"
    assert ended.stderr.splitlines()[0] == (
        f"b.yaml: output.path: writes to {output}, as a.yaml does; name another file, or another `name`"
    )
