"""One model on two real servers, one of which dies during the run."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import batch
from batch.testing import FaultServer, Received, Script, Send, Stall, answer, delta, head

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

ROWS = 60


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "rows.jsonl").write_text("".join(f'{{"id": "{n}"}}\n' for n in range(ROWS)))
    return tmp_path


def job(**address: object) -> dict[str, Any]:
    return {
        "name": "pool",
        "provider": "openai",
        "model": {"model": "m", **address},
        "prompt": "{{ id }}",
        "inputs": {"jsonl": "rows.jsonl"},
        "concurrency": 4,
        "retries": {"base": "0.05s"},
    }


async def test_requests_of_a_dying_server_are_served_by_the_other(folder: Path) -> None:
    dying = anyio.Event()

    def mortal(request: Received) -> Script:
        """Ten answers; then the server dies with requests in flight."""
        if request.number <= 10:
            return answer("Hello")
        dying.set()
        return [Send(head()), Send(delta("Hel")), Stall()]

    async with (
        AsyncExitStack() as life,
        FaultServer(answer("Hello")) as steady,
        anyio.create_task_group() as tasks,
    ):
        first = await life.enter_async_context(FaultServer(mortal))

        async def die() -> None:
            await dying.wait()
            await life.aclose()

        tasks.start_soon(die)
        summary = await batch.arun(job(base_urls=[f"{first.url}/v1", f"{steady.url}/v1"]))
        assert (summary.exit_code, summary.succeeded, summary.failed) == (0, ROWS, 0)
        assert len(first.requests) > 10
        assert len(steady.requests) == ROWS - 10

        again = await batch.arun(job(base_url=f"{steady.url}/v1"))
        assert (again.exit_code, again.sent) == (0, 0), "where a model is served is no part of its answers"
    results = [json.loads(line) for line in (folder / "output" / "pool.jsonl").read_text().splitlines()]
    assert len(results) == ROWS
    assert {each["text"] for each in results} == {"Hello"}
