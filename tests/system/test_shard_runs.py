"""Three shards as processes of their own, at once; one is killed and resumed; then their outputs are merged.

The server's record decides: no request is sent twice, except those in flight at the kill.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import anyio
import pytest

from batch.jobfile.shard import Shard
from tests.support.chat_server import ChatServer, serving
from tests.support.job_files import write_job
from tests.support.kill_support import whole_lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conftest import Command, Ended

pytestmark = pytest.mark.anyio

ROWS = {f"row-{number}": f"number {number}" for number in range(90)}
CONCURRENCY = 4


class Holding(ChatServer):
    """Answers the first ``answers_first`` prompts in ``holds``; the others of them wait for the test."""

    def __init__(self) -> None:
        super().__init__()
        self.holds = set(ROWS.values())
        self.answers_first = 12
        self.waits = anyio.Event()
        self.may_answer = anyio.Event()
        self.before_answer = self._hold

    async def _hold(self) -> None:
        if self.prompts[-1] not in self.holds:
            return
        if self.answers_first:
            self.answers_first -= 1
            return
        self.waits.set()
        await self.may_answer.wait()


@pytest.fixture
async def server() -> AsyncIterator[Holding]:
    async with serving(Holding()) as running:
        assert isinstance(running, Holding)
        yield running


async def all_shards(promptjobs: Command, count: int) -> list[Ended]:
    """Run all shards at once."""
    ended: list[Ended] = []

    async def run(number: int) -> None:
        ended.append(await promptjobs("run", "job.yaml", "-q", "--shard", f"{number}/{count}"))

    async with anyio.create_task_group() as tasks:
        for number in range(1, count + 1):
            tasks.start_soon(run, number)
    return ended


async def merged(promptjobs: Command, *outputs: Path, into: Path) -> bytes:
    """The content of an output after a merge."""
    ended = await promptjobs("merge", *map(str, outputs), "-o", str(into))
    assert (ended.code, ended.stderr) == (0, "")
    return await anyio.Path(into).read_bytes()


@pytest.mark.slow
async def test_a_killed_shard_resumes_and_all_are_merged(
    promptjobs: Command, tmp_path: Path, server: Holding
) -> None:
    write_job(tmp_path, f"{server.url}/v1", ROWS, concurrency=CONCURRENCY)
    folder, killed = tmp_path / "output", 2
    server.holds = {prompt for row, prompt in ROWS.items() if Shard(killed, 3).takes(row)}
    processes = [
        await anyio.open_process(
            promptjobs.arguments("run", "job.yaml", "-q", "--shard", f"{number}/3"),
            cwd=tmp_path,
            env=promptjobs.environment,
        )
        for number in (1, 2, 3)
    ]
    with anyio.fail_after(120):
        await server.waits.wait()
        processes[killed - 1].kill()
        assert await processes[killed - 1].wait() == -9
        durable = {result.id for result in whole_lines(folder / f"job.{killed}-of-3.jsonl")}
        server.may_answer.set()
        assert [await processes[at].wait() for at in (0, 2)] == [0, 0]
        for process in processes:
            await process.aclose()
    assert [ended.code for ended in await all_shards(promptjobs, 3)] == [0, 0, 0]

    sent = Counter(server.prompts)
    assert set(sent) == set(ROWS.values())
    twice = {request_id for request_id, prompt in ROWS.items() if sent[prompt] > 1}
    assert max(sent.values()) == 2
    assert twice.isdisjoint(durable)
    outputs = [folder / f"job.{number}-of-3.jsonl" for number in (1, 2, 3)]
    ids = [[result.id for result in whole_lines(path)] for path in outputs]
    assert sorted(each for part in ids for each in part) == sorted(ROWS)
    assert twice <= set(ids[killed - 1])

    content = await merged(promptjobs, *outputs, into=folder / "job.jsonl")
    assert sorted(result.id for result in whole_lines(folder / "job.jsonl")) == sorted(ROWS)
    assert await merged(promptjobs, *reversed(outputs), into=folder / "other.jsonl") == content
    assert await merged(promptjobs, *outputs, into=folder / "job.jsonl") == content
    assert (await promptjobs("check", "job.yaml")).code == 0


@pytest.mark.slow
async def test_the_number_of_shards_may_change(promptjobs: Command, tmp_path: Path, server: Holding) -> None:
    server.holds = set()
    write_job(tmp_path, f"{server.url}/v1", ROWS)
    folder = tmp_path / "output"
    ended = await promptjobs("run", "job.yaml", "-q", "--shard", "1/3")
    assert ended.code == 0
    await merged(promptjobs, folder / "job.1-of-3.jsonl", into=folder / "job.jsonl")
    assert 0 < len(server.seen) < len(ROWS)
    assert [ended.code for ended in await all_shards(promptjobs, 2)] == [0, 0]
    assert sorted(server.prompts) == sorted(ROWS.values())
    await merged(promptjobs, *folder.glob("job.*-of-2.jsonl"), into=folder / "job.jsonl")
    check = await promptjobs("check", "job.yaml")
    assert (check.code, check.stderr) == (0, "")
    assert (await promptjobs("run", "job.yaml", "-q")).code == 0
    assert len(server.seen) == len(ROWS)


async def test_a_running_shard_cannot_be_merged(promptjobs: Command, tmp_path: Path, server: Holding) -> None:
    write_job(tmp_path, f"{server.url}/v1", ROWS)
    async with await anyio.open_process(
        promptjobs.arguments("run", "job.yaml", "-q", "--shard", "1/1"),
        cwd=tmp_path,
        env=promptjobs.environment,
    ) as process:
        with anyio.fail_after(60):
            await server.waits.wait()
            ended = await promptjobs("merge", "output/job.1-of-1.jsonl", "-o", "output/job.jsonl")
            assert ended.code == 75
            assert f"job.1-of-1.jsonl is locked by another run (process {process.pid} on " in ended.stderr
            assert not (tmp_path / "output" / "job.jsonl").exists()
            server.may_answer.set()
            assert await process.wait() == 0


@pytest.mark.slow
async def test_a_group_of_results_stays_in_one_shard(
    promptjobs: Command, tmp_path: Path, server: Holding
) -> None:
    """Map and reduce, both in shards: the samples of a group are sent by one of them."""
    server.holds = set()
    write_job(tmp_path, f"{server.url}/v1", {f"{name}{part}": name for name in "abcdefgh" for part in (1, 2)})
    reduce = (
        f"provider: openai\nmodel: m\nbase_url: {server.url}/v1\nsamples: 3\n"
        "prompt: 'reduce {{ prompt }}{% for item in items %} {{ item.id }}{% endfor %}'\n"
        "inputs: {results: output/job.jsonl, group_by: prompt}\n"
    )
    (tmp_path / "reduce.yaml").write_text(reduce, encoding="utf-8")
    job = (tmp_path / "job.yaml").read_text(encoding="utf-8")
    (tmp_path / "job.yaml").write_text(job.replace('"rows.jsonl"', '"rows.jsonl", "keep": ["prompt"]'))
    assert [ended.code for ended in await all_shards(promptjobs, 3)] == [0, 0, 0]
    outputs = (tmp_path / "output").glob("job.*-of-3.jsonl")
    await merged(promptjobs, *outputs, into=tmp_path / "output" / "job.jsonl")
    server.seen.clear()
    for shard, groups in (("1/3", "cf"), ("2/3", "gh"), ("3/3", "abde")):
        ended = await promptjobs("run", "reduce.yaml", "-q", "--shard", shard)
        assert (ended.code, ended.stderr) == (0, "")
        number = shard[0]
        found = whole_lines(tmp_path / "output" / f"reduce.{number}-of-3.jsonl")
        assert sorted(result.id for result in found) == [
            f"{name}/{at}" for name in groups for at in (1, 2, 3)
        ]
    assert Counter(server.prompts) == {f"reduce {name} {name}1 {name}2": 3 for name in "abcdefgh"}
