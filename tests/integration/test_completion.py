"""Completion in a real shell, help in colour on a real terminal, and hints for mistyped commands."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from batch._version import __version__
from batch.cli import COMMANDS
from batch.cli.completion import SHELLS
from batch.cli.help import OTHER_NAMES
from tests.support.terminal import on_terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Command
    from tests.support.cli_support import Cli

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


@pytest.fixture
def environment(promptjobs: Command) -> dict[str, str]:
    """The environment of a shell that finds the command by its name."""
    folder = promptjobs.folder / "bin"
    folder.mkdir()
    script = folder / "promptjobs"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m batch "$@"\n')
    script.chmod(0o755)
    return {**promptjobs.environment, "PATH": f"{folder}:{os.environ['PATH']}", "TERM": "dumb"}


@needs_bash
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["sta"], ["status"]),
        (["re"], ["report", "retry"]),
        (["show", "--fa"], ["--failed"]),
        (["show", "job.yaml", "--status", ""], ["succeeded", "failed", "pending"]),
        (["run", "--f"], ["--force", "--fail-fast"]),
        (["init", "--from", "l"], ["local", "llama.cpp"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
    ],
    ids=" ".join,
)
def test_bash_completes_commands_flags_and_values(
    promptjobs: Command, environment: dict[str, str], words: list[str], completed: list[str]
) -> None:
    script = f"""
source <(promptjobs completion bash)
COMP_WORDS=(promptjobs {" ".join(f"'{word}'" for word in words)})
COMP_CWORD={len(words)}
_promptjobs_completion promptjobs
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    ended = subprocess.run(
        ["bash", "--norc", "-c", script],
        env=environment,
        cwd=promptjobs.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert sorted(ended.stdout.split()) == sorted(completed)


@needs_bash
def test_bash_completes_file_names_at_a_prompt(promptjobs: Command, environment: dict[str, str]) -> None:
    (promptjobs.folder / "summaries-of-reports.yaml").write_text("")
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(promptjobs.folder)
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], environment)
    try:
        os.write(terminal, b"source <(promptjobs completion bash); echo rea''dy\n")
        _read_until(terminal, "ready\r\n")
        os.write(terminal, b"promptjobs validate summ\t")
        assert "summaries-of-reports.yaml" in _read_until(terminal, "reports.yaml")
        os.write(terminal, b"\x15promptjobs valid\t")
        assert "validate" in _read_until(terminal, "validate")
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


def _read_until(terminal: int, words: str) -> str:
    """What a terminal shows until the words come; fails after half a minute."""
    shown, ends = b"", time.monotonic() + 30
    while words.encode() not in shown:
        ready, _, _ = select.select([terminal], [], [], max(0.0, ends - time.monotonic()))
        assert ready, shown
        shown += os.read(terminal, 4096)
    return shown.decode()


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_are_right_for_their_shells(cli: Cli, tmp_path: Path, shell: str) -> None:
    ended = cli("completion", shell)
    assert (ended.code, ended.stderr) == (0, "")
    assert f"_PROMPTJOBS_COMPLETE={shell}_complete" in ended.stdout
    if shutil.which(shell) is not None:
        path = tmp_path / "script"
        path.write_text(ended.stdout)
        assert subprocess.run([shell, "-n", path], check=False).returncode == 0


def test_an_unknown_shell_is_named(cli: Cli) -> None:
    ended = cli("completion", "powershell")
    assert ended.code == 2
    assert "'bash', 'zsh', 'fish'" in ended.stderr


# Hints


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("statsu", "status"),
        ("Run", "run"),
        ("shwo", "show"),
        ("ls", "show"),
        ("resume", "run"),
        ("lint", "validate"),
    ],
)
def test_a_mistyped_command_is_named_with_the_right_one(cli: Cli, typed: str, meant: str) -> None:
    ended = cli(typed, "job.yaml")
    assert (ended.code, ended.stdout) == (2, "")
    assert f"No such command '{typed}'. Did you mean '{meant}'?" in ended.stderr


def test_a_name_like_no_command_points_to_the_list(cli: Cli) -> None:
    assert "`promptjobs --help` lists the commands" in cli("\x1b[31mqqqq").stderr


def test_other_names_lead_to_what_there_is() -> None:
    assert set(OTHER_NAMES.values()) <= {*COMMANDS, "--version"}
    assert not set(OTHER_NAMES) & set(COMMANDS)


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_the_version(cli: Cli, flag: str) -> None:
    assert cli(flag).stdout == f"promptjobs, version {__version__}\n"


# Colours


def shown_on_a_terminal(promptjobs: Command, *arguments: str, **env: str) -> str:
    environment = {**promptjobs.environment, "TERM": "xterm", **env}
    _, shown = on_terminal(promptjobs.arguments(*arguments), promptjobs.folder, environment, columns=100)
    return shown.replace("\r\n", "\n")


@pytest.mark.parametrize("arguments", [["--help"], ["show", "--help"], ["retry", "-h"]], ids=" ".join)
def test_help_is_in_colour_on_a_terminal_that_wants_it(promptjobs: Command, arguments: list[str]) -> None:
    coloured = shown_on_a_terminal(promptjobs, *arguments)
    assert "\x1b[1mUsage:\x1b[0m promptjobs" in coloured
    assert "\x1b[1mOptions:\x1b[0m\n" in coloured
    assert re.search(r"\x1b\[36m-h, --help\x1b\[0m +Show this message", coloured)
    plain = re.sub(r"\x1b\[\d+m", "", coloured)
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert shown_on_a_terminal(promptjobs, *arguments, **env) == plain


def test_help_in_a_pipe_is_plain_unless_colour_is_forced(promptjobs: Command) -> None:
    for env, coloured in (
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ):
        ended = subprocess.run(
            promptjobs.arguments("--help"),
            env={**promptjobs.environment, **env},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ("\x1b[" in ended.stdout) == coloured
