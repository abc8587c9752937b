"""The shell lines of ``docs/scaling.md`` are run with the variables that their schedulers set."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
import yaml

from tests.support.chat_server import ChatServer, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
TEXTS = {f"{name}.txt": f"A text about {name}." for name in ("a", "b", "c", "d", "e", "f", "g", "h", "i")}

SSH = """\
#!/bin/sh
cd "$HOSTS/$1" && sh -c "$2"
code=$?
rm -r work/jobs  # the job file of another machine is not on this one
exit $code
"""

RSYNC = """\
#!/bin/sh
for given; do
  case $given in
    --include=*) pattern=${given#--include=} ;;
    -*) ;;
    *:*) host=${given%%:*}; from=${given#*:} ;;
    *) to=$given ;;
  esac
done
mkdir -p "$to" && cp "$HOSTS/$host/$from"$pattern "$to"
"""


def examples(language: str) -> list[str]:
    """The examples of the page in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


class Work:
    """The folder of a project with its job, which asks a server, and with the command in two places."""

    def __init__(self, path: Path, server: ChatServer) -> None:
        self.path = path
        self.bin = path / ".venv" / "bin"
        self.bin.mkdir(parents=True)
        self.add("promptjobs", f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -W error -m batch "$@"\n')
        (path / "jobs" / "documents").mkdir(parents=True)
        for name, text in TEXTS.items():
            (path / "jobs" / "documents" / name).write_text(text, encoding="utf-8")
        job = yaml.safe_load((ROOT / "jobs" / "summarise.yaml").read_text(encoding="utf-8"))
        del job["engine"]
        job |= {"provider": "openai", "base_url": f"{server.url}/v1"}
        (path / "jobs" / "summarise.yaml").write_text(json.dumps(job), encoding="utf-8")

    def add(self, name: str, script: str) -> None:
        """Add a command."""
        (self.bin / name).write_text(script, encoding="utf-8")
        (self.bin / name).chmod(0o755)

    async def run(self, script: str, **variables: str) -> str:
        """Run a script of bash to its end; return what it printed."""
        path = f"{self.bin}:/usr/bin:/bin"
        with anyio.fail_after(300):
            process = await anyio.run_process(
                ["/bin/bash", "-e", "-c", script],
                env={"HOME": str(self.path.parent), "PATH": path, **variables},
                cwd=self.path,
                check=False,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        text = process.stdout.decode()
        assert process.returncode == 0, text
        return text


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with serving(ChatServer()) as running:
        yield running


@pytest.fixture
def work(tmp_path: Path, server: ChatServer) -> Work:
    return Work(tmp_path / "work", server)


def check_whole(work: Work, server: ChatServer) -> None:
    """Each document was sent once, and has its line in the merged output."""
    assert sorted(server.prompts) == sorted(TEXTS.values())
    lines = (work.path / "output" / "summaries.jsonl").read_text(encoding="utf-8").splitlines()
    assert sorted(json.loads(line)["id"] for line in lines) == sorted(TEXTS)


async def test_on_one_machine(work: Work, server: ChatServer) -> None:
    printed = await work.run(examples("bash")[0])
    assert "every request has exactly one result or error" in printed
    check_whole(work, server)


async def test_another_number_of_shards(work: Work, server: ChatServer) -> None:
    await work.run("promptjobs run -q jobs/summarise.yaml --shard 1/3")
    assert 0 < len(server.seen) < len(TEXTS)
    await work.run(examples("bash")[1])
    check_whole(work, server)


async def test_slurm(work: Work, server: ChatServer) -> None:
    task, merge = examples("slurm")
    first, last = re.findall(r"^#SBATCH --array=(\d+)-(\d+)$", task, re.MULTILINE)[0]
    submitted = {"SLURM_SUBMIT_DIR": str(work.path)}
    for index in range(int(first), int(last) + 1):
        assert await work.run(task, SLURM_ARRAY_TASK_ID=str(index), **submitted) == ""
    assert "every request has exactly one result or error" in await work.run(merge, **submitted)
    check_whole(work, server)


async def test_kubernetes(work: Work, server: ChatServer) -> None:
    job = yaml.safe_load(examples("kubernetes")[0])
    assert (job["kind"], job["spec"]["completionMode"]) == ("Job", "Indexed")
    pod = job["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > 30
    (container,) = pod["containers"]
    assert container["command"] == ["/bin/sh", "-c"]
    (line,) = container["args"]
    for index in range(job["spec"]["completions"]):
        assert await work.run(f"exec /bin/sh -c {shlex.quote(line)}", JOB_COMPLETION_INDEX=str(index)) == ""
    await work.run(examples("slurm")[1], SLURM_SUBMIT_DIR=str(work.path))
    check_whole(work, server)


async def test_skypilot(work: Work, server: ChatServer) -> None:
    task = yaml.safe_load(examples("skypilot")[0])
    nodes = task["num_nodes"]
    for rank in range(nodes):
        variables = {"SKYPILOT_NODE_RANK": str(rank), "SKYPILOT_NUM_NODES": str(nodes)}
        assert await work.run(task["run"], **variables) == ""
    await work.run(examples("slurm")[1], SLURM_SUBMIT_DIR=str(work.path))
    check_whole(work, server)


async def test_ssh(work: Work, server: ChatServer, tmp_path: Path) -> None:
    (script,) = examples("sh")
    names = re.findall(r'^hosts="(.*)"$', script, re.MULTILINE)[0].split()
    for name in names:
        shutil.copytree(work.path, tmp_path / "hosts" / name / "work", symlinks=True)
    work.add("ssh", SSH)
    work.add("rsync", RSYNC)
    printed = await work.run(script, HOSTS=str(tmp_path / "hosts"))
    assert "every request has exactly one result or error" in printed
    check_whole(work, server)
