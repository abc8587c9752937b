"""An output whose first line is damaged: each command that reads outputs names the line and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batch.codec import encode_result
from batch.results.output_owner import Owner, write_owner
from tests.support.results_support import succeeded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli_support import Cli

WHOLE = b"".join(map(encode_result, map(succeeded, "abc")))
FIRST, REST = encode_result(succeeded("a")), b"".join(map(encode_result, map(succeeded, "bc")))

SAID = (
    "out.jsonl:1:1: damaged: this is an output file, but its first line is not a result; "
    "remove the line, and the next run sends its request again\n"
    "1 error; nothing was sent\n"
)

JOB = """\
name: job
provider: openai
model: m
base_url: http://127.0.0.1:9/v1
prompt: hi
output: {path: out.jsonl}
"""

DAMAGES = {
    "half of a result": FIRST[:80] + b"\n",
    "the end of a result": FIRST[80:],
    "no JSON": b"<<<<<<< HEAD\n",
    "another object": b'{"id": "a", "text": "An answer."}\n',
    "a blank line": b"\n",
    "zeros": b"\0" * 512 + b"\n",
    "no UTF-8": b"\xff\xfa\n",
    "two lines": b"[]\n{}\n",
}

COMMANDS = [
    ["status", "out.jsonl"],
    ["show", "out.jsonl"],
    ["show", "out.jsonl", "b"],
    ["diff", "out.jsonl", "whole.jsonl"],
    ["diff", "whole.jsonl", "out.jsonl"],
    ["diff", "out.jsonl"],
    ["report", "out.jsonl"],
    ["export", "out.jsonl", "--format", "csv", "-o", "table.csv"],
    ["run", "out.jsonl"],
    ["validate", "out.jsonl"],
]


@pytest.fixture
def folder(cli: Cli) -> Path:
    """A folder with an output that is whole."""
    (cli.folder / "whole.jsonl").write_bytes(WHOLE)
    return cli.folder


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_first_line_is_one_error(damage: str, cli: Cli, folder: Path) -> None:
    (folder / "out.jsonl").write_bytes(DAMAGES[damage] + REST)
    ended = cli("diff", "out.jsonl", "whole.jsonl")
    assert (ended.code, ended.stdout, ended.stderr) == (2, "", SAID)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_command_says_so(command: list[str], cli: Cli, folder: Path) -> None:
    (folder / "out.jsonl").write_bytes(DAMAGES["half of a result"] + REST)
    ended = cli(*command)
    assert (ended.code, ended.stdout, ended.stderr) == (2, "", SAID)
    assert sorted(path.name for path in folder.iterdir()) == ["out.jsonl", "whole.jsonl"]


def test_the_record_of_its_job_shows_that_a_single_line_was_an_output(cli: Cli, folder: Path) -> None:
    path = folder / "out.jsonl"
    path.write_bytes(DAMAGES["half of a result"])
    write_owner(path, Owner("job", str(path)))
    assert cli("show", "out.jsonl").stderr == SAID


@pytest.mark.parametrize("command", ["run", "status", "show", "check"])
def test_commands_that_are_given_the_job_say_so_too(command: str, cli: Cli, folder: Path) -> None:
    (folder / "job.yaml").write_text(JOB)
    damaged = DAMAGES["half of a result"] + REST
    (folder / "out.jsonl").write_bytes(damaged)
    ended = cli(command, "job.yaml")
    assert (ended.code, ended.stdout) == (2, "")
    assert (
        ended.stderr
        == "promptjobs: " + SAID.partition("\n")[0].replace("out.jsonl", f"{folder}/out.jsonl") + "\n"
    )
    assert (folder / "out.jsonl").read_bytes() == damaged


def test_without_the_line_the_output_is_read(cli: Cli, folder: Path) -> None:
    (folder / "out.jsonl").write_bytes(REST)
    assert cli("show", "out.jsonl").stdout.endswith("2 requests: 2 succeeded, 0 failed\n")


def test_a_damaged_line_further_down_is_counted(cli: Cli, folder: Path) -> None:
    (folder / "out.jsonl").write_bytes(FIRST + DAMAGES["no JSON"] + REST)
    assert "damaged    1 line; repaired by the next run\n" in cli("status", "out.jsonl").stdout


@pytest.mark.parametrize("row", ['{"id": "a"}', '{"schema_version": 1, "id": "a"}', ""])
def test_a_job_file_is_no_output(row: str, cli: Cli, folder: Path) -> None:
    (folder / "rows.jsonl").write_text(f'{row}\n{{"id": "b", "prompt": "hi"}}\n')
    assert "damaged" not in cli("show", "rows.jsonl").stderr
