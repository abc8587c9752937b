"""``promptjobs run --dry-run``: what would be sent, why, and how much it is; nothing is sent or touched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batch.results.lock import OutputLock
from tests.support.golden_messages import check_words

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.chat_server import ChatServer
    from tests.support.cli_support import Cli


def write_job(folder: Path, url: str, *words: str, more: str = "params: {max_tokens: 50}") -> None:
    rows = [json.dumps({"id": f"row-{word}", "word": word}) for word in words]
    (folder / "rows.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "job.yaml").write_text(
        f"provider: autonomous\nmodel: llama\nbase_url: {url}\nsystem: Be brief.\n"
        f"prompt: 'say {{{{ word }}}}'\ninputs: {{jsonl: rows.jsonl}}\n{more}\n",
        encoding="utf-8",
    )


def preview(cli: Cli, *arguments: str) -> dict[str, Any]:
    ended = cli("run", "-n", "--json", *arguments, "job.yaml")
    assert (ended.code, ended.stderr) == (0, "")
    shown: dict[str, Any] = json.loads(ended.stdout)
    return shown


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_dry_run_prints_what_a_run_would_do(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, server.url, "one", "two")
    ended = cli("run", "--dry-run", "job.yaml")
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[8:10] == ["  system: Be brief.", "  user: say one"]
    check_words("run", "--dry-run of two new requests", ended.stdout, cli.folder)


def test_nothing_is_sent_and_nothing_is_touched(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, server.url, "one", "two")
    before = files(cli.folder)
    preview(cli)
    assert files(cli.folder) == before
    assert cli("run", "-q", "--limit", "1", "job.yaml").code == 8
    between = files(cli.folder)
    assert preview(cli)["to_send"] == 1
    assert files(cli.folder) == between
    assert len(server.seen) == 1


def test_another_run_may_hold_the_output(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, server.url, "one")
    with OutputLock(cli.folder / "output" / "job.jsonl"):
        assert preview(cli)["to_send"] == 1


def test_each_request_has_its_reason(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, server.url, "one", "two")
    assert cli("run", "-q", "job.yaml").code == 0
    assert preview(cli)["states"] == {"new": 0, "changed": 0, "done": 2, "failed": 0, "given_up": 0}
    write_job(cli.folder, server.url, "two", "one", "three")
    shown = preview(cli)
    assert shown["states"] == {"new": 1, "changed": 0, "done": 2, "failed": 0, "given_up": 0}
    assert shown["first"] == {
        "id": "row-three",
        "target": "llama",
        "model": "llama",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "say three"}],
        "params": {"max_tokens": 50},
    }


CHANGES = [
    (["--model", "hermes"], {"model": 2}),
    (["--set", "params.max_tokens=51"], {"prompt or parameters": 2}),
    (["--set", "system=Be long."], {"prompt or parameters": 2}),
    (["--base-url", "http://127.0.0.1:1"], {}),
]


@pytest.mark.parametrize(("flags", "changed"), CHANGES)
def test_what_has_changed_is_printed_as_far_as_it_is_known(
    cli: Cli, server: ChatServer, flags: list[str], changed: dict[str, int]
) -> None:
    write_job(cli.folder, server.url, "one", "two")
    assert cli("run", "-q", "job.yaml").code == 0
    assert preview(cli, *flags)["changed"] == changed


@pytest.mark.parametrize(
    ("flag", "part"),
    [
        ("params.max_tokens=51", "parameters or engine"),
        ("system=Be long.", "prompt"),
        ("model=hermes", "model"),
    ],
)
def test_where_the_lines_hold_the_messages_more_is_known(
    cli: Cli, server: ChatServer, flag: str, part: str
) -> None:
    more = "params: {max_tokens: 50}\noutput: {include: [messages]}"
    write_job(cli.folder, server.url, "one", "two", more=more)
    assert cli("run", "-q", "job.yaml").code == 0
    assert preview(cli, "--set", flag)["changed"] == {part: 2}


def test_failures_are_counted_by_their_code(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, server.url, "one", "two", more="params: {}\nretries: {max_attempts: 1}")
    output = cli.folder / "output" / "job.jsonl"
    assert cli("run", "-q", "job.yaml").code == 0
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    error: dict[str, Any] = {"message": "", "http_status": None, "runs": 1, "history": []}
    for line, code, retryable in zip(lines, ["truncated", "bad_request"], [True, False], strict=True):
        line |= {
            "status": "failed",
            "error": {**error, "code": code, "retryable": retryable},
            "verdict": None,
        }
    output.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    shown = preview(cli)
    assert (shown["failed"], shown["given_up"], shown["to_send"]) == ({"truncated": 1}, {"bad_request": 1}, 1)
    for command in ("run", "retry"):
        stdout = cli(command, "-n", "job.yaml").stdout
        assert all(f" 1 ({code} 1)" in stdout for code in ("bad_request", "truncated"))
        check_words(command, "--dry-run with failed requests", stdout, cli.folder)


def test_an_answer_without_a_limit_is_of_any_length(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, server.url, "one", more="")
    load = preview(cli)["models"]["llama"]
    assert (load["requests"], load["max_completion_tokens"], load["max_cost"]) == (1, None, None)
    check_words("run", "--dry-run without max_tokens", cli("run", "-n", "job.yaml").stdout, cli.folder)


def test_the_maximum_cost_is_printed_where_the_price_is_known(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, server.url, "one", "two", more="params: {max_tokens: 50}")
    text = (cli.folder / "job.yaml").read_text(encoding="utf-8")
    model = "model: {model: llama, price: {input: 1000000, output: 10}}"
    (cli.folder / "job.yaml").write_text(text.replace("model: llama", model), encoding="utf-8")
    load = preview(cli)["models"]["llama"]
    assert load["max_cost"] == pytest.approx(load["prompt_tokens"] + 100 * 10 / 1e6, abs=1)
    assert "at most 100 out; at most USD 2" in cli("run", "-n", "job.yaml").stdout


def test_every_model_is_counted(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, server.url, "one", "two", more="params: {max_tokens: 7}")
    text = (cli.folder / "job.yaml").read_text(encoding="utf-8")
    (cli.folder / "job.yaml").write_text(text.replace("model: llama", "models: [llama, hermes]"))
    models = preview(cli)["models"]
    assert {name: load["requests"] for name, load in models.items()} == {"llama": 2, "hermes": 2}
    assert {load["max_completion_tokens"] for load in models.values()} == {14}


def test_what_a_document_holds_is_harmless_on_a_terminal(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, server.url, "\x1b[2J\u202e\nx" + "\n" * 100)
    said = cli("run", "-n", "job.yaml").stdout
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "  user: say \\x1b[2J\\u202e\n    x\n" in said
    assert "    … and 61 more lines\n" in said


def test_an_image_is_printed_as_its_type_and_size_or_its_address(cli: Cli, server: ChatServer) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(90)
    (cli.folder / "a.png").write_bytes(picture)
    write_job(cli.folder, server.url, "one", more="images: [a.png, 'https://host/b.png']")
    first = cli("run", "-n", "job.yaml").stdout.partition("first ")[2].splitlines()
    shown = cli("show", "job.yaml", "row-one").stdout.splitlines()
    parts = ["say one", f"[image: image/png, {len(picture)} bytes]", "[image: https://host/b.png]"]
    assert first[2:5] == [f"  user: {parts[0]}", f"    {parts[1]}", f"    {parts[2]}"]
    assert shown[-4:] == ["user", *(f"  {part}" for part in parts)]


def test_bad_rows_are_errors_as_in_a_run(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, server.url, "one")
    (cli.folder / "rows.jsonl").write_text("nonsense\n", encoding="utf-8")
    ended = cli("run", "-n", "job.yaml")
    assert (ended.code, ended.stdout) == (2, "")
    assert "rows.jsonl:1:" in ended.stderr


def test_bad_rows_that_are_skipped_are_counted_apart_from_what_is_sent(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, server.url, "one", "two")
    with (cli.folder / "rows.jsonl").open("a") as rows:
        rows.write("nonsense\n")
    skip = ["--set", "inputs.on_bad_row=skip"]
    check_words(
        "run", "--dry-run with an invalid row", cli("run", "-n", "job.yaml", *skip).stdout, cli.folder
    )
    shown = json.loads(cli("run", "-n", "--json", "job.yaml", *skip).stdout)
    assert (shown["total"], shown["to_send"], shown["to_refuse"]) == (3, 2, 1)
    assert cli("run", "-q", "job.yaml", *skip).code == 1
    assert "bad rows" not in cli("run", "-n", "job.yaml", *skip).stdout


def test_a_small_cost_is_not_nothing(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, server.url, "one")
    model = "model={model: llama, price: {input: 0, output: 0.1}}"
    planned = cli("run", "-n", "job.yaml", "--set", model)
    assert "at most 50 out; at most USD 0.000005 in cost" in planned.stdout


def test_each_of_several_jobs_is_printed_as_far_as_it_can_be(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, server.url, "one")
    text = (cli.folder / "job.yaml").read_text(encoding="utf-8")
    second = text.replace("rows.jsonl", "output/job.jsonl").replace("word", "id")
    (cli.folder / "second.yaml").write_text(second, encoding="utf-8")
    ended = cli("run", "-n", "--json", "job.yaml", "second.yaml")
    assert [json.loads(line)["to_send"] for line in ended.stdout.splitlines()] == [1]
    assert ended.stderr.startswith("second.yaml: ")
    check_words("run", "--dry-run of a job that reads incomplete results", ended.stderr)
    assert cli("run", "-q", "job.yaml").code == 0
    ended = cli("run", "-n", "--json", "job.yaml", "second.yaml")
    assert [json.loads(line)["to_send"] for line in ended.stdout.splitlines()] == [0, 1]
    assert ended.stderr == ""
