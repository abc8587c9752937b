"""Every exit code of the contract, from the real command; and the same command, once mended, goes on to 0."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import pytest
from aiohttp import web

from batch.cli.run import EXIT_CODES
from batch.results.lock import OutputLock
from tests.chat_server import ChatServer, serving
from tests.kill_support import whole_lines, write_job

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.conftest import Command

pytestmark = pytest.mark.anyio

ROWS = {f"row-{number}": f"number {number}" for number in range(20)}


class Work:
    """A job of twenty rows, its server, and the command that runs it."""

    def __init__(self, promptjobs: Command, server: ChatServer) -> None:
        self.promptjobs = promptjobs
        self.server = server
        self.output = promptjobs.folder / "output" / "job.jsonl"
        self.write()

    def write(self, **more: object) -> None:
        write_job(
            self.promptjobs.folder,
            f"{self.server.url}/v1",
            ROWS,
            **{"concurrency": 2, "retries": {"max_attempts": 1}, "timeouts": {"grace": 0}, **more},
        )

    @property
    def summary(self) -> dict[str, Any] | None:
        """What the last run came to, if it got so far."""
        path = self.output.with_name("job.jsonl.summary.json")
        return json.loads(path.read_text()) if path.exists() else None

    async def run(self, *flags: str, prelude: str = "") -> int:
        """The exit code of ``promptjobs run``, after something else in the same shell."""
        command = self.promptjobs.arguments("run", "job.yaml", *flags)
        with anyio.fail_after(60):
            process = await anyio.run_process(
                ["sh", "-c", f'{prelude} exec "$@"', "sh", *command],
                cwd=self.promptjobs.folder,
                env=self.promptjobs.environment,
                check=False,
            )
        return process.returncode

    async def run_and_send(self, number: signal.Signals) -> int:
        """The exit code of a run that gets a signal while a request is under way, after a first result."""
        asked, over = anyio.Event(), anyio.Event()

        async def hold_the_third() -> None:
            if len(self.server.seen) > 2:
                asked.set()
                await over.wait()

        self.server.before_answer = hold_the_third
        async with await anyio.open_process(
            self.promptjobs.arguments("run", "job.yaml"),
            cwd=self.promptjobs.folder,
            env=self.promptjobs.environment,
        ) as process:
            with anyio.fail_after(60):
                await asked.wait()
                process.send_signal(number)
                code = await process.wait()
        over.set()
        return code


async def plain(work: Work) -> int:
    return await work.run()


async def some_failures(work: Work) -> int:
    async def busy_for_odd_numbers() -> None:
        if work.server.prompts[-1].endswith(("3", "7")):
            raise web.HTTPServiceUnavailable

    work.server.before_answer = busy_for_odd_numbers
    return await work.run()


async def first_failure(work: Work) -> int:
    async def busy_once() -> None:
        if len(work.server.seen) == 4:
            raise web.HTTPServiceUnavailable

    work.server.before_answer = busy_once
    return await work.run("--fail-fast")


async def wrong_usage(work: Work) -> int:
    return await work.run("--no-such-flag")


async def wrong_job_file(work: Work) -> int:
    work.write(temprature=0)
    return await work.run()


async def wrong_key(work: Work) -> int:
    work.server.key = "not shown"
    return await work.run()


async def wrong_address(work: Work) -> int:
    return await work.run("--base-url", "http://127.0.0.1:9")


async def quota_that_comes_back_too_late(work: Work) -> int:
    async def used_up() -> None:
        raise web.HTTPPaymentRequired(headers={"Retry-After": "60"})

    work.server.before_answer = used_up
    return await work.run("--max-duration", "50s")


async def limit_of_requests(work: Work) -> int:
    return await work.run("--limit", "7")


async def limit_of_time(work: Work) -> int:
    return await work.run("--max-duration", "0s")


async def no_space(work: Work) -> int:
    return await work.run(prelude="ulimit -f 4;")


async def no_space_at_all(work: Work) -> int:
    return await work.run(prelude="ulimit -f 0;")


async def output_is_held(work: Work) -> int:
    with OutputLock(work.output):
        return await work.run()


async def outage(work: Work) -> int:
    async def answer_two() -> None:
        if len(work.server.seen) > 2:
            raise web.HTTPServiceUnavailable

    work.server.before_answer = answer_two
    work.write(concurrency=12, timeouts={"outage": "10ms"}, retries={"base": "1ms", "cap": "1ms"})
    return await work.run()


async def interrupted(work: Work) -> int:
    return await work.run_and_send(signal.SIGINT)


async def terminated(work: Work) -> int:
    return await work.run_and_send(signal.SIGTERM)


class Way(NamedTuple):
    """A way to an exit code, and whether anything may have been sent by then."""

    code: int
    come_to: Callable[[Work], Awaitable[int]]
    sends: bool = True


WAYS = [
    Way(0, plain),
    Way(1, some_failures),
    Way(1, first_failure),
    Way(2, wrong_usage, sends=False),
    Way(2, wrong_job_file, sends=False),
    Way(7, wrong_key),
    Way(7, wrong_address, sends=False),
    Way(7, quota_that_comes_back_too_late),
    Way(8, limit_of_requests),
    Way(8, limit_of_time),
    Way(74, no_space),
    Way(74, no_space_at_all, sends=False),
    Way(75, output_is_held, sends=False),
    Way(75, outage),
    Way(130, interrupted),
    Way(143, terminated),
]


@pytest.fixture
async def work(promptjobs: Command) -> AsyncIterator[Work]:
    async with serving(ChatServer()) as server:
        yield Work(promptjobs, server)


@pytest.mark.parametrize("way", WAYS, ids=[f"{way.code} {way.come_to.__name__}" for way in WAYS])
async def test_every_exit_code_is_reached_and_the_same_command_goes_on(work: Work, way: Way) -> None:
    assert await way.come_to(work) == way.code
    kept = [result.id for result in whole_lines(work.output) if result.status == "succeeded"]
    assert way.sends or not work.server.seen
    if (summary := work.summary) and summary["pending"]:
        assert summary["reasons"], "it is said why anything is pending"
    work.server.before_answer = work.server.key = None
    work.write()
    sent = len(work.server.seen)
    assert await work.run() == 0
    assert sorted(result.id for result in whole_lines(work.output)) == sorted(ROWS)
    assert len(work.server.seen) - sent == len(ROWS) - len(kept), "what has succeeded is not sent again"


def test_no_other_code_is_promised() -> None:
    promised = {
        int(code)
        for line in re.findall(r"^  ((?:\d+, )*\d+) ", EXIT_CODES, re.M)
        for code in line.split(", ")
    }
    assert promised == {way.code for way in WAYS}
