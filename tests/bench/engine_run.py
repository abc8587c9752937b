"""What a job costs but for its answers: one whole run in a process of its own, its endpoint free.

``python -m tests.bench.engine_run ROWS [fail]`` makes a job of so many rows, runs it as ``promptjobs run``
would but for the network, and prints what it came to as JSON: peak memory in bytes, seconds, seconds of the
processor, results.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from unittest import mock

import anyio

from batch import gc_tuning
from batch.app.run.endpoints import Endpoints
from batch.app.run.execute import execute
from batch.app.run.options import RunOptions
from batch.app.setup.environment import Environment
from batch.app.setup.load_job import load_job
from batch.providers.scripted import ScriptedProvider
from batch.records import Failure, Reply, Request, Usage, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch.app.run.endpoints import Address
    from batch.protocols import Provider
    from batch.records import Outcome
    from batch.run_summary import Summary

FINE = Reply("A short answer, as they are.", Verdict.COMPLETE, "stop", usage=Usage(20, 8, 28))
REFUSED = Failure("bad_request", "HTTP 422: no", http_status=422)
CUT = Failure("truncated", "the connection was closed", partial_text="A short", first_byte=0.01)

JOB = """
provider: openai
base_url: http://127.0.0.1:9/v1
model: m
prompt: "Say what this is: {{ text }}"
inputs: {jsonl: rows.jsonl}
concurrency: 64
retries: {max_attempts: 1}
"""


class Forgetful(ScriptedProvider):
    """A scripted provider that keeps no books: they would grow with the job."""

    async def complete(self, request: Request) -> Outcome:
        self.attempts.clear()
        return await super().complete(request)


def answer(request: Request, attempt: int) -> tuple[float, Outcome]:
    return 0, FINE


def failure(request: Request, attempt: int) -> tuple[float, Outcome]:
    """Failures for good and failures for now, by turns."""
    return 0, REFUSED if request.id.endswith(("0", "2", "4", "6", "8")) else CUT


async def run(folder: Path, *, fail: bool) -> Summary:
    """Run the job in the folder."""
    provider = Forgetful(failure if fail else answer)

    async def opened(_: Endpoints, addresses: Mapping[str, Address]) -> dict[str, Provider]:
        return dict.fromkeys(addresses, provider)

    with mock.patch.object(Endpoints, "open", opened):
        return await execute(
            load_job(folder / "job.yaml"),
            Environment({}, folder),
            (),
            RunOptions(durability="flush"),
        )


def main(rows: int, *, fail: bool) -> None:
    """Make the job, run it and print what it took."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "job.yaml").write_text(JOB)
        with (folder / "rows.jsonl").open("w") as file:
            file.writelines(f'{{"id": "row-{n}", "text": "number {n} of many"}}\n' for n in range(rows))
        started, worked = time.perf_counter(), time.process_time()
        gc_tuning.reduce_collections()
        loop = {"use_uvloop": find_spec("uvloop") is not None}
        summary = anyio.run(partial(run, folder, fail=fail), backend_options=loop)
    cpu = round(time.process_time() - worked, 3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    took = {"seconds": round(time.perf_counter() - started, 1), "cpu": cpu, "peak": peak}
    print(json.dumps({"rows": rows, "succeeded": summary.succeeded, "failed": summary.failed, **took}))


if __name__ == "__main__":
    main(int(sys.argv[1]), fail=sys.argv[2:] == ["fail"])
