"""A job is gone through beside whatever else its caller does, and no further once the caller has left."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest

from batch.app.run.plan import make_plan_in_thread
from batch.inputs import JobSource
from batch.jobfile import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch.inputs.source import Step
    from batch.jobfile import JobFile
    from batch.records import Known

pytestmark = pytest.mark.anyio

ROWS = 3
PATIENCE = 10


class Watched(JobSource):
    """Tells when nobody reads it any more."""

    def __init__(self, job: JobFile) -> None:
        super().__init__(job, {})
        self.left = threading.Event()

    def trace(self, target: str | None = None, *, samples: bool = True) -> Iterator[Step]:
        try:
            yield from super().trace(target, samples=samples)
        finally:
            self.left.set()


class Looked:
    """What an output knows, told one by one as the caller's loop lets it; ``ids`` is what was asked."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.asked, self.may_tell = threading.Event(), threading.Event()

    def up(self, request_id: str) -> Known | None:
        self.ids.append(request_id)
        self.asked.set()
        assert self.may_tell.wait(PATIENCE), "the loop stands still"
        return None


@pytest.fixture
def job(tmp_path: Path) -> Watched:
    rows = [json.dumps({"id": str(number), "prompt": "?"}) for number in range(ROWS)]
    (tmp_path / "job.jsonl").write_text("\n".join(rows))
    endpoint = {"provider": "openai", "model": "m", "base_url": "http://h/v1"}
    return Watched(load(tmp_path / "job.jsonl", overrides=endpoint))


async def test_the_loop_goes_on_meanwhile(job: Watched) -> None:
    looked = Looked()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(make_plan_in_thread, job, looked.up)
        assert await anyio.to_thread.run_sync(looked.asked.wait, PATIENCE)
        looked.may_tell.set()
    assert looked.ids == ["0", "1", "2"]


async def test_whoever_is_cancelled_leaves_at_once_and_the_rest_is_not_read(job: Watched) -> None:
    looked = Looked()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(make_plan_in_thread, job, looked.up)
        assert await anyio.to_thread.run_sync(looked.asked.wait, PATIENCE)
        tasks.cancel_scope.cancel()
    looked.may_tell.set()
    assert await anyio.to_thread.run_sync(job.left.wait, PATIENCE)
    assert looked.ids == ["0"]
