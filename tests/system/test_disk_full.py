"""A full disk: a small one, mounted for the test. Exit code 74; then free space; then a complete run."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

import anyio
import pytest

from batch.testing import FaultServer, answer
from tests.support.job_files import write_job
from tests.support.kill_support import whole_lines

if TYPE_CHECKING:
    from pathlib import Path

    from batch.testing import Received, Script
    from tests.conftest import Command

pytestmark = pytest.mark.anyio

MOUNTS = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"]
"""A shell in its own mount namespace."""

ROWS = {f"row-{number}": f"number {number}" for number in range(100)}
TEXT = "word " * 500


def can_mount() -> bool:
    """Whether this machine allows a mount for the test."""
    try:
        return (
            subprocess.run(
                [*MOUNTS, "mount -t tmpfs tmpfs /mnt"], check=False, capture_output=True
            ).returncode
            == 0
        )
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module", autouse=True)
def mounts() -> None:
    if not can_mount():
        pytest.skip("no user namespaces here, so that no disk can be mounted; see the tests with a quota")


def reply(received: Received) -> Script:
    return answer(f"{received.messages[-1]['content']} {TEXT}")


async def shell(promptjobs: Command, script: str) -> list[str]:
    """Run the script on a disk of 100 kB, mounted at ``output``; what it says on stdout, by lines.

    ``run`` is the command; it prints its exit code.
    """
    command = shlex.join(promptjobs.arguments("run", "job.yaml", "-q"))
    prelude = f"run() {{ {command} && echo 0 || echo $?; }}; mount -t tmpfs -o size=100k tmpfs output; "
    with anyio.fail_after(60):
        process = await anyio.run_process(
            [*MOUNTS, prelude + script], cwd=promptjobs.folder, env=promptjobs.environment, stderr=None
        )
    return process.stdout.decode().split()


async def test_a_disk_that_fills_up_is_74_and_with_more_space_the_same_command_completes(
    promptjobs: Command, tmp_path: Path
) -> None:
    (tmp_path / "output").mkdir()
    async with FaultServer(reply) as server:
        write_job(tmp_path, server.url, ROWS, concurrency=4)
        said = await shell(
            promptjobs,
            "run; cp output/job.jsonl first.jsonl; run; cp output/job.jsonl second.jsonl; "
            "mount -o remount,size=10m output; run; cp output/job.jsonl third.jsonl",
        )
    assert said == ["74", "74", "0"]
    first, second, third = ([result.id for result in whole_lines(tmp_path / name)] for name in NAMES)
    assert 0 < len(first) < len(ROWS)
    assert second[: len(first)] == first
    assert third[: len(second)] == second
    assert sorted(third) == sorted(ROWS)
    for name in NAMES:
        assert (tmp_path / name).read_bytes().endswith(b"\n")


NAMES = ("first.jsonl", "second.jsonl", "third.jsonl")


async def test_on_a_disk_that_is_full_from_the_start_nothing_is_sent(
    promptjobs: Command, tmp_path: Path
) -> None:
    (tmp_path / "output").mkdir()
    async with FaultServer(reply) as server:
        write_job(tmp_path, server.url, dict(list(ROWS.items())[:3]))
        fill = "head -c 1m /dev/zero > output/other || true; "
        assert await shell(promptjobs, f"{fill} run") == ["74"]
        assert server.requests == []
        said = await shell(promptjobs, f"{fill} run; rm output/other; run; cp output/job.jsonl first.jsonl")
    assert said == ["74", "0"]
    assert len(whole_lines(tmp_path / "first.jsonl")) == len(server.requests) == 3


async def test_a_disk_that_fills_up_while_superseded_answers_move_loses_none(
    promptjobs: Command, tmp_path: Path
) -> None:
    (tmp_path / "output").mkdir()
    rows = dict(list(ROWS.items())[:10])
    async with FaultServer(reply) as server:
        write_job(tmp_path, server.url, {name: f"{prompt} again" for name, prompt in rows.items()})
        (tmp_path / "rows.jsonl").rename(tmp_path / "edited.jsonl")
        write_job(tmp_path, server.url, rows)
        said = await shell(
            promptjobs,
            "run; cp output/job.jsonl first.jsonl; cp edited.jsonl rows.jsonl; run; "
            "cp output/job.jsonl* .; mkdir full; mv job.jsonl* full; "
            "mount -o remount,size=10m output; run; cp output/job.jsonl* .",
        )
    assert said == ["0", "74", "0"]
    first, full, now = (tmp_path / name for name in ("first.jsonl", "full/job.jsonl", "job.jsonl"))
    kept = [line for line in full.read_bytes().splitlines() if line in first.read_bytes().splitlines()]
    assert len(kept) == 10, "what could not move has stayed"
    assert sorted(result.id for result in whole_lines(now)) == sorted(rows)
    superseded = tmp_path / "job.jsonl.superseded.jsonl"
    assert sorted(superseded.read_bytes().splitlines()) == sorted(first.read_bytes().splitlines())
    assert len(server.requests) == 20, "nothing is sent again"
