"""The README's examples, run as they stand; its two lines of setting up are run by ``.ci/run``."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from batch.app.jobs import load_job
from tests.chat_server import ChatServer, serving

if TYPE_CHECKING:
    from tests.conftest import Command

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def work(promptjobs: Command, tmp_path: Path) -> Path:
    """A checkout's ``jobs`` with the engine that needs no weights, and a ``promptjobs`` in a ``.venv``."""
    folder = tmp_path / "home" / "work"
    shutil.copytree(ROOT / "jobs", folder / "jobs")
    for job in (folder / "jobs").glob("*.yaml"):
        text = job.read_text(encoding="utf-8")
        job.write_text(text.replace("engine: llama", "engine: extractive"), encoding="utf-8")
    script = folder / ".venv" / "bin" / "promptjobs"
    script.parent.mkdir(parents=True)
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m batch "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return folder


@pytest.mark.parametrize("text", blocks("yaml"))
def test_every_job_file_is_one(text: str, tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "one.txt").write_text("One.", encoding="utf-8")
    path = tmp_path / "job.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_job(path).models


async def test_the_python_examples_run(work: Path, promptjobs: Command) -> None:
    examples = blocks("python")
    assert len(examples) == 3
    async with serving(ChatServer(key="k")) as server:
        for example in examples:
            process = await anyio.run_process(
                [sys.executable, "-c", example.replace("http://127.0.0.1:8080", server.url)],
                cwd=work,
                env={**promptjobs.environment, "MY_KEY": "k"},
                check=False,
            )
            assert (process.returncode, process.stderr) == (0, b"")
            assert process.stdout
    assert server.prompts == ["Name a river."]


async def test_the_shell_examples_that_set_nothing_up_run(work: Path, promptjobs: Command) -> None:
    examples = [line for line in blocks("sh") if not line.startswith("python3 -m venv")]
    assert len(examples) == 3
    for example in examples:
        command = example.strip().removeprefix("promptjobs ").split()
        ended = await promptjobs(
            *(str(work / part) if part.startswith("jobs/") else part for part in command)
        )
        assert ended.code == 0, ended.stderr
    for name, count in (("dataset", 20), ("map", 20), ("reduce", 10)):
        assert len((work / "output" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()) >= count
    parts = [promptjobs.folder / f"messages.{part}.jsonl" for part in ("train", "test")]
    assert sum(len(part.read_text(encoding="utf-8").splitlines()) for part in parts) == 20


async def test_the_crontab_line_runs_and_says_nothing(work: Path, promptjobs: Command) -> None:
    (line,) = blocks("crontab")
    command = line.split(None, 5)[5]
    process = await anyio.run_process(command, env=promptjobs.environment, check=False)
    assert (process.returncode, process.stdout, process.stderr) == (0, b"", b"")
    assert len((work / "output" / "summaries.jsonl").read_text(encoding="utf-8").splitlines()) == 10
