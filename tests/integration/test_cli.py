"""Every command of the command line: what it prints, where, and the code that it ends with."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import pytest
from aiohttp import ClientSession, web

from batch.cli import COMMANDS
from batch.wire.dialects import autonomous
from tests.support.chat_server import ChatServer, serving
from tests.support.cli_support import Cli, on_terminal, served
from tests.support.golden_messages import check_words

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Command, Ended

ROWS = 10


@pytest.fixture
def job(tmp_path: Path, server: ChatServer) -> Path:
    """``job.yaml``: ten rows for the server."""
    return write_job(tmp_path, server.url)


def write_job(folder: Path, base_url: str, more: str = "") -> Path:
    rows = [json.dumps({"id": f"row-{number}", "word": f"word {number}"}) for number in range(ROWS)]
    (folder / "rows.jsonl").write_text("\n".join(rows) + "\n")
    path = folder / "job.yaml"
    path.write_text(
        f"provider: autonomous\nmodel: llama\nbase_url: {base_url}\nprompt: '{{{{ word }}}}'\n"
        f"inputs: {{jsonl: rows.jsonl}}\n{more}"
    )
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def said(ended: Ended) -> tuple[int, str]:
    """Code and standard error of a command that has nothing for standard output, and never a traceback."""
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    return ended.code, ended.stderr


# promptjobs


def test_without_a_command_there_is_help(cli: Cli) -> None:
    ended = cli()
    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("Usage: promptjobs [OPTIONS] COMMAND")
    assert (cli("--help").code, cli("--help").stderr, cli("-h").stdout) == (0, "", cli("--help").stdout)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(cli: Cli, name: str) -> None:
    ended = cli(name, "--help")
    assert (ended.code, ended.stderr) == (0, "")
    assert f"promptjobs {name}" in ended.stdout
    assert COMMANDS[name] in " ".join(ended.stdout.split())
    line = rf"^  {name} +{re.escape(COMMANDS[name])}$"
    assert re.search(line, cli("--help", COLUMNS="80").stdout, re.MULTILINE)


def test_the_list_of_commands_is_made_without_importing_them() -> None:
    code = "import sys; from batch.cli import commands; commands(['--help'], standalone_mode=False); "
    code += "print([name for name in sys.modules if name in ('batch.cli.run', 'batch.cli.init')])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.endswith("\n[]\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bogus"], "No such option '--bogus'"),
        (["runn"], "No such command 'runn'"),
        (["job.yaml"], "To run a job file: promptjobs run job.yaml"),
        (["run"], "Missing argument 'JOBFILE...'"),
        (["run", "--bogus", "job.yaml"], "No such option '--bogus'"),
        (["run", "job.yaml", "-j", "0"], "0 is not in the range"),
        (["run", "job.yaml", "--limit", "-1"], "-1 is not in the range"),
        (
            ["run", "job.yaml", "--max-duration", "soon"],
            "'soon' is not a duration; write 90s, 500ms, 5m or 2h",
        ),
        (["run", "job.yaml", "--provider", "other"], "'other' is not one of"),
        (["run", "job.yaml", "--set", "concurrency"], "--set takes KEY=VALUE"),
        (["run", "job.yaml", "--set", "=1"], "--set takes KEY=VALUE"),
        (["trust", "A_KEY"], "name the origin too"),
        (["trust", "--remove"], "--remove takes a KEY and an ORIGIN"),
        (["serve", "--port", "66000"], "66000 is not in the range"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2_and_says_what_is_wrong(
    cli: Cli, job: Path, arguments: list[str], words: str
) -> None:
    code, stderr = said(cli(*arguments))
    assert code == 2
    assert words in stderr


# validate


def test_validate_counts_the_requests_of_a_valid_job(cli: Cli, job: Path, server: ChatServer) -> None:
    code, stderr = said(cli("validate", "job.yaml"))
    assert code == 0
    check_words("validate", "a valid job", stderr)
    assert server.seen == []
    assert not (cli.folder / "output").exists()


def test_validate_names_every_error_on_a_line_of_its_own(cli: Cli, job: Path) -> None:
    job.write_text("provider: autonomous\nmodel: llama\nprompt: hello\ntemperature: 0\nbase_ulr: x\n")
    code, stderr = said(cli("validate", "job.yaml", "--output-format", "concise"))
    assert code == 2
    first, second, _ = stderr.splitlines()
    assert first.startswith("job.yaml:4:1: temperature: ")
    assert second.startswith("job.yaml:5:1: base_ulr: ")
    check_words("validate", "two unknown keys", stderr)


FLAGS = [
    (["--model", "gpt"], "--model: model: "),
    (["--base-url", "nowhere"], "--base-url: base_url: "),
    (["-o", "home"], "--output: output.path: "),
    (["--set", "model=gpt"], "--set model: model: "),
]


@pytest.mark.parametrize(("flags", "place"), FLAGS)
def test_an_error_in_a_flag_is_named_by_the_flag(cli: Cli, job: Path, flags: list[str], place: str) -> None:
    (cli.folder / "home").mkdir()
    code, stderr = said(cli("validate", "job.yaml", *flags))
    assert code == 2
    assert stderr.startswith(place)
    check_words("validate", f"an error in {' '.join(flags)}", stderr, cli.folder)


def test_validate_reads_the_inputs_too(cli: Cli, job: Path) -> None:
    (cli.folder / "rows.jsonl").write_text('{"id": "a", "word": 1}\n{"id": "a", "word": 2}\nnonsense\n')
    code, stderr = said(cli("validate", "job.yaml"))
    assert code == 2
    assert "rows.jsonl:2:1: " in stderr
    assert "rows.jsonl:3:" in stderr
    check_words("validate", "errors in rows", stderr, cli.folder)


@pytest.mark.parametrize(
    "parameter",
    [
        "temperature",
        "top_p",
        "top_k",
        "max_tokens",
        "max_completion_tokens",
        "seed",
        "stop",
        "frequency_penalty",
    ],
)
def test_a_parameter_at_the_top_is_sent_to_its_place(cli: Cli, job: Path, parameter: str) -> None:
    with job.open("a") as file:
        file.write(f"{parameter}: 1\n")
    code, stderr = said(cli("validate", "job.yaml"))
    assert (code, "write parameters under `params`" in stderr) == (2, True)


# A traceback is for programmers


def not_a_job_file(folder: Path) -> list[str]:
    """Paths at which there is no job file, each in its own way."""
    (folder / "empty.yaml").touch()
    (folder / "blank.yaml").write_text("\n# nothing\n")
    (folder / "binary.yaml").write_bytes(os.urandom(64) + b"\x00\xff")
    (folder / "list.yaml").write_text("- a\n- b\n")
    (folder / "folder.yaml").mkdir()
    (folder / "dangling.yaml").symlink_to("nowhere")
    (folder / "circle.yaml").symlink_to("circle.yaml")
    os.mkfifo(folder / "pipe.yaml")
    (folder / "secret.yaml").write_text("provider: openai\n")
    (folder / "secret.yaml").chmod(0)
    missing = [
        "missing.yaml",
        "no/folder/job.yaml",
        "job.yaml/job.yaml",
        "x" * 300 + ".yaml",
        "a\x1b[2J.yaml",
    ]
    return [path.name for path in folder.iterdir()] + missing + ["", "/dev/null"]


@pytest.mark.parametrize("command", ["run", "validate", "status"])
def test_no_path_gives_a_traceback(cli: Cli, command: str) -> None:
    for path in not_a_job_file(cli.folder):
        code, stderr = said(cli(command, path))
        assert code == 2, path
        assert "nothing was sent" in stderr or "promptjobs: " in stderr
        assert "\x1b" not in stderr


@pytest.mark.parametrize("flag", ["-o", "--output="])
@pytest.mark.parametrize(
    "output",
    ["-", "new/"],
)
def test_an_output_that_is_no_file_is_wrong_usage(
    cli: Cli, job: Path, server: ChatServer, flag: str, output: str
) -> None:
    before = set(cli.folder.iterdir())
    code, stderr = said(cli("run", "job.yaml", f"{flag}{output}"))
    assert code == 2
    check_words("run", f"--output {output}", stderr.splitlines()[-1:])
    assert set(cli.folder.iterdir()) == before
    assert server.seen == []


@pytest.mark.parametrize(
    ("output", "code"),
    [
        ("home", 2),
        ("rows.jsonl", 2),
        ("notes.txt", 2),
        ("/dev/full", 2),
        ("notes.txt/out.jsonl", 74),
        ("/proc/nowhere/out.jsonl", 74),
    ],
)
def test_an_output_that_cannot_be_is_named(
    cli: Cli, job: Path, server: ChatServer, output: str, code: int
) -> None:
    (cli.folder / "home").mkdir()
    (cli.folder / "notes.txt").write_text("mine\n")
    ended, stderr = said(cli("run", "job.yaml", "-o", output))
    assert (ended, server.seen) == (code, [])
    assert stderr.startswith(("--output: output.path: ", "promptjobs: "))
    check_words("run", f"an output at {output}", stderr, cli.folder)
    assert (cli.folder / "notes.txt").read_text() == "mine\n"
    assert not (cli.folder / "notes.txt.lock").exists(), "nothing is left beside what is not ours"


# init


def test_init_writes_a_job_file_without_errors(cli: Cli) -> None:
    code, stderr = said(cli("init", "new/folder"))
    path = cli.folder / "new" / "folder" / "job.yaml"
    assert code == 0
    check_words("init", "a new folder", stderr)
    (path.parent / "documents").mkdir()
    (path.parent / "documents" / "a.txt").write_text("A text.")
    assert said(cli("validate", "new/folder/job.yaml"))[0] == 0
    assert said(cli("run", "new/folder/job.yaml", "--set", "engine=extractive", "-q")) == (0, "")


@pytest.mark.parametrize("server", ["local", "openai", "ollama", "vllm", "llama.cpp"])
def test_init_writes_a_valid_job_file_for_each_server(cli: Cli, server: str) -> None:
    ended = cli("init", "--from", server)
    assert (ended.code, ended.stdout) == (0, "")
    assert (
        ended.stderr == "wrote job.yaml; put texts into documents and run it with: promptjobs run job.yaml\n"
    )
    (cli.folder / "documents").mkdir()
    (cli.folder / "documents" / "a.txt").write_text("A text.")
    ended = cli("validate", "job.yaml", OPENAI_API_KEY="sk-anything")
    assert (ended.code, ended.stderr.count("\n")) == (0, 1), ended.stderr


def test_init_for_an_unknown_server_names_those_that_there_are(cli: Cli) -> None:
    ended = cli("init", "--from", "lmstudio")
    assert ended.code == 2
    assert "'local', 'openai', 'ollama', 'vllm', 'llama.cpp'" in ended.stderr
    assert not (cli.folder / "job.yaml").exists()


def test_init_overwrites_nothing(cli: Cli) -> None:
    (cli.folder / "job.yaml").write_text("mine")
    code, stderr = said(cli("init"))
    assert code == 2
    check_words("init", "an existing job file", stderr)
    assert (cli.folder / "job.yaml").read_text() == "mine"
    assert said(cli("init", "job.yaml"))[0] == 2
    code, stderr = said(cli("init", "/proc/nowhere"))
    assert code == 2
    check_words("init", "a folder that cannot be created", stderr)


# models, trust


def test_models_lists_what_can_be_asked(cli: Cli) -> None:
    ended = cli("models")
    rows = [line.split() for line in ended.stdout.splitlines()]
    assert (ended.code, ended.stderr) == (0, "")
    check_words("models", "the list", ended.stdout)
    assert [row[0] for row in rows] == list(autonomous.MODELS)
    assert {row[1]: row[0] for row in rows} == autonomous.ALIASES
    assert [row[2] for row in rows] == list(autonomous.MODELS.values())


def test_trust_lists_and_refuses(cli: Cli) -> None:
    assert "OPENAI_API_KEY  https://api.openai.com\n" in cli("trust").stdout
    for arguments in (
        ["sk-7163-secret", "https://llm.example"],
        ["A", "ftp://llm.example"],
        ["A", "llm.example"],
    ):
        code, stderr = said(cli("trust", *arguments))
        assert (code, "7163" in stderr) == (2, False)
        check_words("trust", f"invalid: {' '.join(arguments)}", stderr)
    code, stderr = said(cli("trust", "A", "https://llm.example/v1"))
    assert code == 0
    check_words("trust", "a new pair", stderr)
    assert cli("trust").stdout.endswith("A  https://llm.example\n")
    for situation in ("a removed pair", "an unknown pair to remove"):
        code, stderr = said(cli("trust", "--remove", "A", "https://llm.example"))
        assert code == 0
        check_words("trust", situation, stderr)
    store = cli.folder / "home" / ".config" / "promptjobs" / "trusted.json"
    store.write_text("nonsense")
    code, stderr = said(cli("trust"))
    assert (code, "trusted.json" in stderr) == (2, True)
    check_words("trust", "a damaged file of pairs", stderr, cli.folder)


# status


def counted(ended: Ended) -> dict[str, str]:
    """The lines of ``status``, by their first word."""
    assert ended.code == 0, ended.stderr
    return {line.split()[0]: " ".join(line.split()[1:]) for line in ended.stdout.splitlines()}


def test_status_of_a_job_from_nothing_to_done(cli: Cli, job: Path, server: ChatServer) -> None:
    nothing = counted(cli("status", "job.yaml"))
    assert (nothing["requests"], nothing["succeeded"], nothing["pending"]) == ("10", "0", "10")
    assert not (cli.folder / "output").exists()
    cli("run", "job.yaml", "--limit", "4")
    some = counted(cli("status", "job.yaml"))
    assert (some["succeeded"], some["pending"], some["new"]) == ("4", "6", "6")
    cli("run", "job.yaml")
    assert counted(cli("status", "job.yaml"))["succeeded"] == "10"
    changed = counted(cli("status", "job.yaml", "--model", "hermes"))
    assert (changed["succeeded"], changed["stale"]) == ("0", "10")
    (cli.folder / "rows.jsonl").write_text('{"id": "row-0", "word": "word 0"}\n')
    assert counted(cli("status", "job.yaml"))["orphans"].startswith("9 lines")
    assert len(server.seen) == 10


def test_status_of_an_output(cli: Cli, job: Path, server: ChatServer) -> None:
    cli("run", "job.yaml")
    output = cli.folder / "output" / "job.jsonl"
    whole = counted(cli("status", "output/job.jsonl"))
    assert (whole["succeeded"], whole["tokens"]) == ("10", "30 in, 20 out")
    before = output.read_bytes()
    output.write_bytes(before + b'nonsense\n{"partial": ')
    partial = cli("status", "output/job.jsonl")
    assert counted(partial)["damaged"].startswith("2 lines")
    check_words("status", "an output with damaged lines", partial.stdout)
    assert output.read_bytes() == before + b'nonsense\n{"partial": '


def test_status_distinguishes_a_jsonl_job_from_an_output(cli: Cli, server: ChatServer) -> None:
    (cli.folder / "list.jsonl").write_text('{"model": "llama", "prompt": "one"}\n')
    flags = ["list.jsonl", "--provider", "autonomous", "--base-url", server.url]
    assert counted(cli("status", *flags))["requests"] == "1"
    assert said(cli("run", *flags, "-q")) == (0, "")
    assert counted(cli("status", *flags))["succeeded"] == "1"


def test_status_shows_nothing_raw(cli: Cli, job: Path) -> None:
    output = cli.folder / "a\x1b[2J.jsonl"
    cli("run", "job.yaml", "-o", output.name)
    assert "a\\x1b[2J.jsonl" in cli("status", output.name).stdout


# run


def test_run_says_one_line_when_all_is_well(cli: Cli, job: Path) -> None:
    code, stderr = said(cli("run", "job.yaml"))
    assert code == 0
    assert stderr.endswith("output/job.jsonl\n")
    check_words("run", "every request has succeeded", stderr.splitlines()[-1:])


def test_flags_stand_in_for_what_the_job_file_says(cli: Cli, job: Path, server: ChatServer) -> None:
    job.write_text(
        "provider: openai\nbase_url: http://127.0.0.1:9\nmodel: other\nprompt: '{{ word }}'\n"
        "inputs: {jsonl: rows.jsonl}\nparams: {temperature: 1, seed: 7}\n"
    )
    flags = ["--provider", "autonomous", "--base-url", server.url, "--model", "hermes-3", "-o", "x/out.jsonl"]
    more = ["--set", "params.temperature=0.5", "--set", "system=Be brief.", "-j", "3", "--max-attempts", "2"]
    assert said(cli("run", "job.yaml", *flags, *more, "-q")) == (0, "")
    body = server.seen[0]
    assert (body["aiAgent"], body["temperature"], body["seed"]) == ("hermes", 0.5, 7)
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert len(lines(cli.folder / "x" / "out.jsonl")) == ROWS


def test_every_flag_has_an_environment_variable(cli: Cli, job: Path, server: ChatServer) -> None:
    env = {
        "PROMPTJOBS_OUTPUT": "env.jsonl",
        "PROMPTJOBS_MODEL": "summary",
        "PROMPTJOBS_SET": "params.temperature=0.5\nsystem=Be brief, please.",
        "PROMPTJOBS_LIMIT": "3",
        "PROMPTJOBS_QUIET": "1",
        "PROMPTJOBS_JSON": "1",
    }
    ended = cli("run", "job.yaml", **env)
    assert (ended.code, ended.summary["pending"], len(lines(cli.folder / "env.jsonl"))) == (8, 7, 3)
    body = server.seen[0]
    assert (body["aiAgent"], body["temperature"]) == ("summary", 0.5)
    assert body["messages"][0]["content"] == "Be brief, please."
    assert cli("run", "job.yaml", "--limit", "0", "-o", "flag.jsonl", **env).summary["sent"] == 0


def test_settings_for_a_list_of_requests(cli: Cli, server: ChatServer) -> None:
    (cli.folder / "list.jsonl").write_text('{"id": "a", "prompt": "one"}\n{"id": "b", "prompt": "two"}\n')
    (cli.folder / "with.yaml").write_text(f"provider: autonomous\nmodel: llama\nbase_url: {server.url}\n")
    assert said(cli("run", "list.jsonl", "--with", "with.yaml", "-q")) == (0, "")
    assert sorted(server.prompts) == ["one", "two"]


def test_a_path_that_leads_out_needs_leave(cli: Cli, server: ChatServer) -> None:
    folder = cli.folder / "project"
    folder.mkdir()
    write_job(folder, server.url)
    (folder / "rows.jsonl").rename(cli.folder / "rows.jsonl")
    (folder / "job.yaml").write_text((folder / "job.yaml").read_text().replace("rows.jsonl", "../rows.jsonl"))
    code, stderr = said(cli("run", "project/job.yaml"))
    assert (code, "project/job.yaml:5:17: inputs.jsonl: " in stderr, server.seen) == (2, True, [])
    check_words("run", "an input outside the root", stderr, cli.folder)
    assert said(cli("run", "project/job.yaml", "--allow-path", ".", "-q")) == (0, "")


def test_a_limit_is_8_with_the_rest_pending_and_can_be_gone_on_from(
    cli: Cli, job: Path, server: ChatServer
) -> None:
    code, stderr = said(cli("run", "job.yaml", "--limit", "4"))
    assert (code, len(server.seen)) == (8, 4)
    check_words("run", "--limit 4 of 10", [line for line in stderr.splitlines() if line[0] in "j "])
    assert said(cli("run", "job.yaml", "--limit", "6", "-q")) == (0, "")
    assert len(server.seen) == ROWS


def test_no_time_is_8_with_all_of_it_pending(cli: Cli, job: Path) -> None:
    ended = cli("run", "job.yaml", "--max-duration", "0s", "--json", "--set", "timeouts.grace=0")
    assert (ended.code, ended.summary["succeeded"], ended.summary["pending"]) == (8, 0, 10)
    warnings = [line for line in ended.stderr.splitlines() if "time limit" in line]
    check_words("run", "--max-duration 0s", [line.partition("Z ")[2] or line for line in warnings])


def test_the_summary_as_json_is_all_there_is_on_stdout(cli: Cli, job: Path) -> None:
    ended = cli("run", "job.yaml", "--json", "-q")
    assert ended.stderr == ""
    assert ended.stdout.count("\n") == 1
    assert {key: ended.summary[key] for key in ("schema_version", "name", "exit_code", "total", "sent")} == {
        "schema_version": 1,
        "name": "job",
        "exit_code": 0,
        "total": 10,
        "sent": 10,
    }


def test_stats_are_dated_lines(cli: Cli, job: Path) -> None:
    progress = [line for line in cli("run", "job.yaml", "--stats", "0s").stderr.splitlines() if "ETA" in line]
    assert len(progress) > 2  # one a group of written results, and the last
    assert all(line[:2] == "20" and line[19] == "Z" for line in progress)


# What a server says, and what becomes of it

HOSTILE = "\x1b[31mred\x1b]0;title\x07\r\n2026-01-01 forged \u202e\u2066\x9b2J"


class Refusing(ChatServer):
    """Refuses every second word, in words that are not fit to be shown."""

    def __init__(self, refusal: type[web.HTTPException] = web.HTTPBadRequest) -> None:
        super().__init__()
        self._refusal = refusal
        self.before_answer = self._perhaps_refuse

    async def _perhaps_refuse(self) -> None:
        if int(self.prompts[-1].split()[-1]) % 2:
            body = json.dumps({"error": {"message": HOSTILE}})
            raise self._refusal(text=body, content_type="application/json")


def harmless(text: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in text)


def test_failures_are_1_and_reported_even_quietly(cli: Cli) -> None:
    with served(Refusing()) as server:
        write_job(cli.folder, server.url, more="concurrency: 1\n")
        code, stderr = said(cli("run", "job.yaml", "-q"))
        assert code == 1
        check_words("run", "half of the requests fail", stderr)
        assert stderr.count("400 Bad Request: \\x1b[31mred") == 5, "each by name"
        assert harmless(stderr)
        sent = len(server.seen)
        assert said(cli("run", "job.yaml"))[0] == 1
        assert len(server.seen) == sent, "what was refused for good is not sent again"
        shown = cli("status", "job.yaml")
        assert "\n  5 bad_request\n" in shown.stdout
        code, stderr = said(cli("run", "job.yaml", "-x", "-o", "fast.jsonl"))
        assert (code, len(lines(cli.folder / "fast.jsonl"))) == (1, 2)


@pytest.mark.parametrize(("refusal", "code"), [(web.HTTPUnauthorized, 7), (web.HTTPServiceUnavailable, 1)])
def test_nothing_that_a_server_says_reaches_the_screen_raw(
    cli: Cli, refusal: type[web.HTTPException], code: int
) -> None:
    with served(Refusing(refusal)) as server:
        write_job(
            cli.folder, server.url, more="concurrency: 1\nretries: {max_attempts: 2, base: 0, cap: 0}\n"
        )
        ended, stderr = said(cli("run", "job.yaml", "-v"))
    assert ended == code
    assert "\\x1b[31mred" in stderr
    assert harmless(stderr)


def test_a_file_that_may_not_grow_is_74_and_the_same_command_resumes(
    cli: Cli, job: Path, server: ChatServer
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limits[1]))
    try:
        code, stderr = said(cli("run", "job.yaml", "-j", "1"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 74
    assert "output/job.jsonl" in stderr
    kept = (
        len(lines(cli.folder / "output" / "job.jsonl")) if (cli.folder / "output/job.jsonl").exists() else 0
    )
    sent = len(server.seen)
    assert said(cli("run", "job.yaml", "-q")) == (0, "")
    assert len(server.seen) == sent + ROWS - kept
    assert len(lines(cli.folder / "output" / "job.jsonl")) == ROWS


def test_an_endpoint_that_stays_out_is_75(cli: Cli) -> None:
    server = ChatServer()

    async def answer_once() -> None:
        if len(server.seen) > 1:
            raise web.HTTPServiceUnavailable

    server.before_answer = answer_once
    with served(server):
        write_job(cli.folder, server.url, more="timeouts: {outage: 1ms}\n")
        (cli.folder / "rows.jsonl").write_text(
            "\n".join(json.dumps({"id": f"r{number}", "word": str(number)}) for number in range(30))
        )
        code, stderr = said(cli("run", "job.yaml"))
    assert code == 75
    assert "1 succeeded, 29 pending of 30" in stderr


# Colours


def test_colour_is_for_terminals_and_those_who_ask(cli: Cli) -> None:
    assert "\x1b" not in cli("run", "missing.yaml").stderr
    assert cli("run", "missing.yaml", FORCE_COLOR="1").stderr.startswith("\x1b[31mmissing.yaml")
    assert "\x1b" not in cli("run", "missing.yaml", FORCE_COLOR="1", NO_COLOR="1").stderr


@pytest.mark.anyio
async def test_a_terminal_gets_a_bar_and_colours_unless_it_declines(promptjobs: Command) -> None:
    async with serving(Refusing()) as server:
        write_job(promptjobs.folder, server.url)
        shown = {}
        for name, env in {
            "plain": {},
            "no colour": {"NO_COLOR": "1"},
            "dumb": {"TERM": "dumb"},
            "ci": {"CI": "true"},
            "no progress": {"PROMPTJOBS_NO_PROGRESS": "1"},
        }.items():
            ended = await on_terminal(promptjobs, "run", "job.yaml", "-o", f"{name}.jsonl", env=env)
            assert ended.code == 1
            shown[name] = ended.stderr
    assert {name: ("10/10  failed " in text, "\x1b[31m" in text) for name, text in shown.items()} == {
        "plain": (True, True),
        "no colour": (True, False),
        "dumb": (False, False),
        "ci": (False, False),
        "no progress": (False, False),
    }
    for text in shown.values():
        assert "\x1b]0;" not in text
        assert "\u202e" not in text
        assert "5 succeeded, 5 failed of 10" in text


# serve


async def announced(process: anyio.abc.Process) -> str:
    """What ``serve`` says once it answers."""
    assert process.stderr is not None
    text = b""
    while b"AutonomousAI dialect" not in text or not text.endswith(b"\n"):
        text += await process.stderr.receive()
    return text.decode()


def fields(text: str) -> dict[str, str]:
    """The announcement's lines, by what stands before the colon."""
    return {
        key.strip(): value.strip() for key, _, value in (line.partition(": ") for line in text.splitlines())
    }


@pytest.mark.anyio
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_serve_answers_until_a_signal(promptjobs: Command, number: signal.Signals) -> None:
    async with await anyio.open_process(
        promptjobs.arguments("serve", "--engine", "extractive", "--port", "0"),
        cwd=promptjobs.folder,
        env=promptjobs.environment,
    ) as process:
        with anyio.fail_after(30):
            text = await announced(process)
            assert process.stderr is not None
            while "API key" not in text:
                text += (await process.stderr.receive()).decode()
            base_url = fields(text)["OpenAI dialect"].removeprefix("base URL ")
            key = fields(text)["API key"]
            body = {"model": "llama", "messages": [{"role": "user", "content": "One sentence. Another one."}]}
            async with ClientSession() as session:
                for shown, status in [(key, 200), ("wrong", 401)]:
                    headers = {"authorization": f"Bearer {shown}"}
                    url = f"{base_url}/chat/completions"
                    async with session.post(url, json=body, headers=headers) as answer:
                        assert answer.status == status
            process.send_signal(number)
            assert await process.wait() == 0


@pytest.mark.anyio
async def test_serve_takes_a_key_from_the_environment_and_does_not_print_it(promptjobs: Command) -> None:
    async with await anyio.open_process(
        promptjobs.arguments("serve", "--engine", "extractive", "--port", "0", "--api-key-env", "MY_KEY"),
        cwd=promptjobs.folder,
        env={**promptjobs.environment, "MY_KEY": "sesame-7163"},
    ) as process:
        with anyio.fail_after(30):
            text = await announced(process)
            base_url = fields(text)["OpenAI dialect"].removeprefix("base URL ")
            async with (
                ClientSession(headers={"authorization": "Bearer sesame-7163"}) as session,
                session.get(f"{base_url}/models") as answer,
            ):
                assert answer.status == 200
            process.terminate()
            assert await process.wait() == 0
            assert process.stderr is not None
            text += "".join([piece.decode() async for piece in process.stderr])
    assert "API key" not in text
    assert "7163" not in text


def test_serve_says_plainly_that_a_port_is_in_use(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = cli("serve", "--engine", "extractive", "--port", str(port))
    assert (ended.code, ended.stdout) == (7, "")
    assert ended.stderr == (
        f"promptjobs: port {port} of 127.0.0.1 is in use by another program; name another one with --port, "
        "or a free one with --port 0\n"
    )


def test_serve_says_plainly_that_an_address_is_not_here(cli: Cli) -> None:
    ended = cli("serve", "--engine", "extractive", "--host", "203.0.113.1", "--api-key-env", "K", K="key")
    assert ended.code == 7
    assert ended.stderr == (
        "promptjobs: 203.0.113.1 is not an address of this machine; name one with --host, such as 127.0.0.1\n"
    )


def test_serve_refuses_what_it_cannot_serve(cli: Cli) -> None:
    for arguments, words in [
        (["--engine", "nothing"], "nothing"),
        (["--engine", "extractive", "--host", "0.0.0.0"], "0.0.0.0"),
        (["--engine", "extractive", "--api-key-env", "NOT_SET"], "NOT_SET"),
    ]:
        code, stderr = said(cli("serve", *arguments))
        assert (code, words in stderr) == (2, True), stderr
        check_words("serve", " ".join(arguments), stderr)
