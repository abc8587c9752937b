"""The examples of the README and the guides, run as they are; ``.ci/run`` runs those that set one up."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from batch.app.setup.load_job import load_job
from tests.support.chat_server import ChatServer, serving

if TYPE_CHECKING:
    from tests.conftest import Command

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
PAGES = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in (
        "README.md",
        "docs/start.md",
        "docs/job_file.md",
        "docs/servers.md",
        "docs/results.md",
        "docs/python.md",
    )
}
SETS_UP = "python3 -m venv"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGES[page], re.DOTALL | re.MULTILINE)


def commands(page: str) -> list[str]:
    """The shell commands of a page, one a line, but for those that set up an environment."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    return [line for line in lines if not line.startswith(SETS_UP)]


JOB_FILES = [pytest.param(text, id=name) for name in PAGES for text in blocks(name, "yaml")]
PROGRAMS = [pytest.param(text, id=name) for name in PAGES for text in blocks(name, "python")]
WITH_COMMANDS = [name for name in PAGES if commands(name)]


def without_weights(folder: Path) -> None:
    """Let every job file in the folder use the engine that needs no weights."""
    for job in folder.rglob("*.yaml"):
        text = job.read_text(encoding="utf-8")
        job.write_text(text.replace("engine: llama", "engine: extractive"), encoding="utf-8")


@pytest.fixture
def work(promptjobs: Command, tmp_path: Path) -> Path:
    """A checkout's ``jobs`` and some documents, and a ``promptjobs`` in a ``.venv``."""
    folder = tmp_path / "home" / "work"
    shutil.copytree(ROOT / "jobs", folder / "jobs")
    shutil.copytree(ROOT / "jobs" / "documents", folder / "documents")
    without_weights(folder)
    script = folder / ".venv" / "bin" / "promptjobs"
    script.parent.mkdir(parents=True)
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m batch "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return folder


def test_the_examples_are_found() -> None:
    assert len(JOB_FILES) == 9
    assert len(PROGRAMS) == 6
    assert [line for name in PAGES for line in blocks(name, "sh") if line.startswith(SETS_UP)]
    assert WITH_COMMANDS == ["README.md", "docs/start.md", "docs/job_file.md", "docs/results.md"]


@pytest.mark.parametrize("text", JOB_FILES)
def test_every_job_file_is_one(text: str, tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "one.txt").write_text("One.", encoding="utf-8")
    path = tmp_path / "job.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_job(path).models


@pytest.mark.parametrize("program", PROGRAMS)
async def test_the_python_examples_run(program: str, work: Path, promptjobs: Command) -> None:
    async with serving(ChatServer(key="k")) as server:
        process = await anyio.run_process(
            [sys.executable, "-c", program.replace("http://127.0.0.1:8080", server.url)],
            cwd=work,
            env={**promptjobs.environment, "MY_KEY": "k"},
            check=False,
        )
    assert (process.returncode, process.stderr) == (0, b"")
    assert process.stdout
    assert server.prompts == (["Name a river."] if "AutonomousAI.create" in program else [])
    if "FaultServer" in program:
        assert process.stdout == b"Hello after 2 attempts\n"


@pytest.mark.parametrize("page", WITH_COMMANDS)
async def test_the_commands_run(page: str, work: Path, promptjobs: Command) -> None:
    path = f"{work / '.venv' / 'bin'}:{promptjobs.environment['PATH']}"
    for command in ["promptjobs run -q jobs/summarise.yaml", *commands(page)]:
        without_weights(work)
        process = await anyio.run_process(
            command, cwd=work, env={**promptjobs.environment, "PATH": path}, check=False
        )
        assert process.returncode == 0, process.stderr.decode()


async def test_the_commands_of_the_readme_write_what_it_says(work: Path, promptjobs: Command) -> None:
    path = f"{work / '.venv' / 'bin'}:{promptjobs.environment['PATH']}"
    for command in commands("README.md"):
        await anyio.run_process(command, cwd=work, env={**promptjobs.environment, "PATH": path})
    for name, count in (("dataset", 20), ("map", 20), ("reduce", 10)):
        assert len((work / "output" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()) >= count
    parts = [work / f"messages.{part}.jsonl" for part in ("train", "test")]
    assert sum(len(part.read_text(encoding="utf-8").splitlines()) for part in parts) == 20


async def test_the_crontab_line_runs_and_prints_nothing(work: Path, promptjobs: Command) -> None:
    (line,) = blocks("README.md", "crontab")
    command = line.split(None, 5)[5]
    process = await anyio.run_process(command, env=promptjobs.environment, check=False)
    assert (process.returncode, process.stdout, process.stderr) == (0, b"", b"")
    assert len((work / "output" / "summaries.jsonl").read_text(encoding="utf-8").splitlines()) == 10


def test_the_commands_in_the_table_exist_with_their_meaning() -> None:
    table = re.findall(r"^\| `promptjobs ([a-z]+)[^`]*` \|", PAGES["README.md"], re.MULTILINE)
    listed = re.findall(
        r"^  ([a-z]+)  ", (ROOT / "docs" / "cli.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert table == [
        "init",
        "validate",
        "run",
        "retry",
        "status",
        "show",
        "diff",
        "report",
        "check",
        "export",
        "merge",
        "serve",
    ]
    assert set(table) <= set(listed)


def test_the_number_of_faults_is_that_of_the_table() -> None:
    (number,) = re.findall(r"\[(\d+) cases of network and server faults\]", PAGES["README.md"])
    assert f"\n{number} cases in " in (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
