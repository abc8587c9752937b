"""What a run reads before it sends anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

from batch.app.run.prepared_run import read_other_outputs
from batch.app.setup.sharded import sharded
from batch.codec import encode_line
from batch.jobfile.load import load_mapping
from batch.jobfile.shard import Shard
from batch.scheduling.selection import UNLIMITED
from tests.support.results_support import succeeded

if TYPE_CHECKING:
    from pathlib import Path

    from batch.jobfile.job import JobFile
    from batch.scheduling.selection import Selection

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def shard(folder: Path, lines: int) -> JobFile:
    """A shard of a job whose merged output has so many lines."""
    keys = {"name": "job", "provider": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    job = load_mapping({**keys, "prompt": "Hello", "output": {"path": "job.jsonl"}}, folder)
    job.output.write_bytes(b"".join(encode_line(succeeded(f"row-{number}")) for number in range(lines)))
    return sharded(job, Shard(1, 2))


async def read_cancelled(job: JobFile) -> list[Selection]:
    """Read the merged output in a thread that is cancelled before; return the result, if there is one."""
    found = []

    def read() -> Selection:
        anyio.from_thread.run_sync(scope.cancel)
        selection, _ = read_other_outputs(job, UNLIMITED)
        return selection

    with anyio.CancelScope() as scope:
        found.append(await anyio.to_thread.run_sync(read))
    return found


async def test_a_cancellation_ends_the_reading_of_a_long_merged_output(tmp_path: Path) -> None:
    assert await read_cancelled(shard(tmp_path, 1000)) == []


async def test_a_short_merged_output_is_read_to_its_end(tmp_path: Path) -> None:
    (selection,) = await read_cancelled(shard(tmp_path, 999))
    assert selection.merged is not None
    assert selection.merged("row-998") is not None
