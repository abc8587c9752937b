"""The engine over scripted endpoints, in virtual time."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import trio.testing

from batch.events import AttemptFailed, AttemptStarted, Notice, ResultsDurable, Snapshot, Tick
from batch.observers import Observers
from batch.providers.scripted import Script, ScriptedProvider
from batch.records import Failure, Known, Reply, Request, Result, Verdict
from batch.runner import Run
from batch.scheduling.concurrency_limiter import FixedLimiter
from batch.scheduling.retry import RetryPolicy
from batch.scheduling.scheduler import Scheduler
from batch.scheduling.target_queue import TargetQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from batch.events import Event
    from batch.protocols import Observer
    from batch.scheduling.admission import Admission
    from batch.scheduling.concurrency_limiter import ConcurrencyLimiter
    from batch.scheduling.known_good_requests import Candidates

START = "2026-11-22T00:00:00.000Z"
OK = Reply(text="fine", verdict=Verdict.COMPLETE, finish_reason="stop")


def requests(count: int, target: str = "m") -> list[Request]:
    return [
        Request(f"{target}-{n}", "f", target, target, ({"role": "user", "content": "?"},))
        for n in range(count)
    ]


class MemorySink:
    def __init__(self, known: dict[str, Known] | None = None) -> None:
        self.results: list[Result] = []
        self._known = known or {}

    def known(self, request_id: str) -> Known | None:
        return self._known.get(request_id)

    async def write(self, results: Sequence[Result]) -> None:
        await anyio.lowlevel.checkpoint()
        self.results.extend(results)


class Diary:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, str]] = []
        self.notices: list[str] = []
        self.failures: list[Failure] = []
        self.done: list[Result] = []
        self.snapshots: list[Snapshot] = []

    def observe(self, event: Event) -> None:
        match event:
            case AttemptStarted(request=request):
                self.sent.append((anyio.current_time(), request.id))
            case ResultsDurable(results=results):
                self.done += results
            case AttemptFailed(failure=failure):
                self.failures.append(failure)
            case Notice(message=message):
                self.notices.append(message)
            case Tick(snapshot=Snapshot() as snapshot):
                self.snapshots.append(snapshot)
            case _:
                pass


class Bench:
    """A run over scripted endpoints."""

    def __init__(
        self,
        scripts: dict[str, Script],
        jobs: dict[str, Iterable[Request | None]],
        *,
        limit: int = 8,
        outage: float = 1800,
        max_attempts: int = 8,
        sink: MemorySink | None = None,
        fail_fast: bool = False,
        admissions: Mapping[str, Admission] | None = None,
        limiter: Callable[[int], ConcurrencyLimiter] = FixedLimiter,
        pools: Mapping[str, Sequence[str]] | None = None,
        candidates: Mapping[str, Candidates] | None = None,
        reference: Request | None = None,
        observers: Iterable[Observer] = (),
    ) -> None:
        policy = RetryPolicy(max_attempts=max_attempts)
        chance = random.Random(7).random
        queues = [
            TargetQueue(
                name,
                iter(rows),
                limit=limit,
                policy=policy,
                outage=outage,
                random=chance,
                admission=(admissions or {}).get(name),
                limiter=limiter,
                endpoints=(pools or {}).get(name, ()),
                candidates=(candidates or {}).get(name),
                reference=reference,
            )
            for name, rows in jobs.items()
        ]
        self.scheduler = Scheduler(queues, limit)
        self.providers = {name: ScriptedProvider(script) for name, script in scripts.items()}
        self.sink = sink or MemorySink()
        self.diary = Diary()
        self.run = Run(
            self.scheduler,
            self.providers,
            self.sink,
            Observers([*observers, self.diary]),
            clock=lambda: START,
            fail_fast=fail_fast,
        )

    def play(self, *, then: Callable[[Bench], None] | None = None, after: float = 0) -> None:
        async def main() -> None:
            async with anyio.create_task_group() as tasks:
                if then is not None:
                    tasks.start_soon(self._later, then, after)
                await self.run.run()

        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    async def _later(self, then: Callable[[Bench], None], after: float) -> None:
        await anyio.sleep(after)
        then(self)

    @property
    def statuses(self) -> list[str]:
        return [result.status for result in self.sink.results]


def always(seconds: float, outcome: Reply | Failure) -> Script:
    return lambda request, attempt: (seconds, outcome)
