"""The command where its standard streams are closed, full, or read by nobody."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio
import pytest

from batch.codec import encode_result
from tests.support.results_support import succeeded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Command

pytestmark = pytest.mark.anyio

with_full_device = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it, macOS has not")

JOB = """
provider: openai
base_url: local
engine: extractive
model: summary
prompt: "Summarise: The Elbe rises in the Giant Mountains. It ends in the North Sea."
"""


async def code(promptjobs: Command, command: str, redirection: str) -> tuple[int, bytes]:
    """The exit code of a command in a shell, and what it says on the streams that are left."""
    script = f'exec "$@" {redirection}'
    arguments = ["sh", "-c", script, "sh", *promptjobs.arguments(*command.split())]
    with anyio.fail_after(60):
        ended = await anyio.run_process(
            arguments, cwd=promptjobs.folder, env=promptjobs.environment, check=False
        )
    return ended.returncode, ended.stderr


@pytest.fixture
def job(promptjobs: Command) -> Path:
    path = promptjobs.folder / "job.yaml"
    path.write_text(JOB)
    return path


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
async def test_a_run_needs_no_streams(promptjobs: Command, job: Path, closed: str) -> None:
    assert await code(promptjobs, "run -q job.yaml", closed) == (0, b"")
    assert b'"status":"succeeded"' in (promptjobs.folder / "output" / "job.jsonl").read_bytes()


@with_full_device
async def test_a_run_needs_no_reader_of_its_streams(promptjobs: Command, job: Path) -> None:
    assert (await code(promptjobs, "run job.yaml", "2>/dev/full"))[0] == 0


@with_full_device
async def test_the_exit_code_needs_no_reader_of_the_streams(promptjobs: Command) -> None:
    assert (await code(promptjobs, "run missing.yaml", "2>/dev/full"))[0] == 2


PRINTING = [
    "status out.jsonl",
    "show out.jsonl a",
    "schema",
    "models",
    "trust",
    "export out.jsonl --format csv",
]


@with_full_device
@pytest.mark.parametrize("command", [*PRINTING, "status out.jsonl --json", "run job.yaml --dry-run"])
async def test_what_cannot_be_written_is_reported(promptjobs: Command, job: Path, command: str) -> None:
    (promptjobs.folder / "out.jsonl").write_bytes(encode_result(succeeded("a")))
    ended = await code(promptjobs, command, ">/dev/full")
    assert ended == (74, b"promptjobs: standard output cannot be written: No space left on device\n")


@pytest.mark.parametrize("command", PRINTING)
async def test_a_reader_may_leave(promptjobs: Command, command: str) -> None:
    (promptjobs.folder / "out.jsonl").write_bytes(encode_result(succeeded("a")))
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        ended = await anyio.run_process(
            promptjobs.arguments(*command.split()),
            cwd=promptjobs.folder,
            env=promptjobs.environment,
            stdout=theirs,
            check=False,
        )
    finally:
        os.close(theirs)
    assert (ended.returncode, ended.stderr) == (141, b"")
