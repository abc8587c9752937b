"""Every exit code of the contract, from the real command; after a repair, the same command ends with 0."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import pytest
from aiohttp import web

from batch.cli.run import EXIT_CODES
from batch.exit_codes import exit_code
from batch.results.lock import OutputLock
from batch.scheduling.retry import Parking
from tests.support.chat_server import ChatServer, serving
from tests.support.job_files import write_job
from tests.support.kill_support import whole_lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.conftest import Command

pytestmark = pytest.mark.anyio

ROWS = {f"row-{number}": f"number {number}" for number in range(20)}


class Task:
    """A job of twenty rows, its server, and the command that runs it."""

    def __init__(self, promptjobs: Command, server: ChatServer) -> None:
        self.promptjobs = promptjobs
        self.server = server
        self.flags: list[str] = []
        self.stderr = ""
        self.output = promptjobs.folder / "output" / "job.jsonl"
        self.write()

    def write(self, **more: Any) -> None:
        write_job(
            self.promptjobs.folder,
            f"{self.server.url}/v1",
            ROWS,
            **{"concurrency": 2, "retries": {"max_attempts": 1}, "timeouts": {"grace": 0}, **more},
        )

    @property
    def summary(self) -> dict[str, Any] | None:
        """Return the summary of the last run, if it got so far."""
        path = self.output.with_name("job.jsonl.summary.json")
        return json.loads(path.read_text()) if path.exists() else None

    async def run(self, *flags: str, prelude: str = "") -> int:
        """The exit code of ``promptjobs run``, after something else in the same shell."""
        command = self.promptjobs.arguments("run", "job.yaml", *flags, *self.flags)
        with anyio.fail_after(60):
            process = await anyio.run_process(
                ["sh", "-c", f'{prelude} exec "$@"', "sh", *command],
                cwd=self.promptjobs.folder,
                env=self.promptjobs.environment,
                check=False,
            )
        self.stderr = process.stderr.decode()
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
            try:
                with anyio.fail_after(60):
                    await asked.wait()
                    process.send_signal(number)
                    code = await process.wait()
            except TimeoutError:
                process.kill()  # else it is waited for without end
                raise
        over.set()
        return code


async def plain(task: Task) -> int:
    return await task.run()


async def some_failures(task: Task) -> int:
    async def busy_for_odd_numbers() -> None:
        if task.server.prompts[-1].endswith(("3", "7")):
            raise web.HTTPServiceUnavailable

    task.server.before_answer = busy_for_odd_numbers
    return await task.run()


async def first_failure(task: Task) -> int:
    async def busy_once() -> None:
        if len(task.server.seen) == 4:
            raise web.HTTPServiceUnavailable

    task.server.before_answer = busy_once
    return await task.run("--fail-fast")


async def wrong_usage(task: Task) -> int:
    return await task.run("--no-such-flag")


async def wrong_job_file(task: Task) -> int:
    task.write(temprature=0)
    return await task.run()


async def wrong_key(task: Task) -> int:
    task.server.key = "not shown"
    return await task.run()


async def wrong_address(task: Task) -> int:
    return await task.run("--base-url", "http://127.0.0.1:9")


async def quota_that_comes_back_too_late(task: Task) -> int:
    async def used_up() -> None:
        raise web.HTTPPaymentRequired(headers={"Retry-After": "60"})

    task.server.before_answer = used_up
    return await task.run("--max-duration", "50s")


async def limit_of_requests(task: Task) -> int:
    return await task.run("--limit", "7")


async def limit_of_time(task: Task) -> int:
    return await task.run("--max-duration", "0s")


async def no_space(task: Task) -> int:
    return await task.run(prelude="ulimit -f 4;")


async def no_space_at_all(task: Task) -> int:
    return await task.run(prelude="ulimit -f 0;")


async def output_is_held(task: Task) -> int:
    with OutputLock(task.output):
        return await task.run()


async def outage(task: Task) -> int:
    async def answer_two() -> None:
        if len(task.server.seen) > 2:
            raise web.HTTPServiceUnavailable

    task.server.before_answer = answer_two
    task.write(concurrency=12, timeouts={"outage": "10ms"}, retries={"base": "1ms", "cap": "1ms"})
    return await task.run()


async def interrupted(task: Task) -> int:
    return await task.run_and_send(signal.SIGINT)


async def terminated(task: Task) -> int:
    return await task.run_and_send(signal.SIGTERM)


async def hung_up(task: Task) -> int:
    return await task.run_and_send(signal.SIGHUP)


BROKEN = """
import batch.runner

settle = batch.runner.Run._settle
settled = []

def broken(run, *arguments):
    settled.append(1)
    if len(settled) > 5:
        raise ZeroDivisionError("a fault of our own")
    settle(run, *arguments)

batch.runner.Run._settle = broken
"""


async def internal_error(task: Task) -> int:
    folder = task.promptjobs.folder / "broken"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(BROKEN)
    path = task.promptjobs.environment["PYTHONPATH"]
    task.promptjobs.environment["PYTHONPATH"] = f"{folder}:{path}"
    code = await task.run()
    task.promptjobs.environment["PYTHONPATH"] = path
    return code


class Way(NamedTuple):
    """A scenario for an exit code, and whether anything may have been sent."""

    code: int
    come_to: Callable[[Task], Awaitable[int]]
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
    Way(70, internal_error),
    Way(74, no_space),
    Way(74, no_space_at_all, sends=False),
    Way(75, output_is_held, sends=False),
    Way(75, outage),
    Way(129, hung_up),
    Way(130, interrupted),
    Way(143, terminated),
]


@pytest.fixture
async def task(promptjobs: Command) -> AsyncIterator[Task]:
    async with serving(ChatServer()) as server:
        yield Task(promptjobs, server)


@pytest.mark.parametrize("way", WAYS, ids=[f"{way.code} {way.come_to.__name__}" for way in WAYS])
async def test_every_exit_code_is_reached_and_the_same_command_resumes(task: Task, way: Way) -> None:
    assert await way.come_to(task) == way.code
    kept = [result.id for result in whole_lines(task.output) if result.status == "succeeded"]
    assert way.sends or not task.server.seen
    if (summary := task.summary) and summary["pending"]:
        assert summary["reasons"], "it is said why anything is pending"
    task.server.before_answer = task.server.key = None
    task.write()
    sent = len(task.server.seen)
    assert await task.run() == 0
    assert sorted(result.id for result in whole_lines(task.output)) == sorted(ROWS)
    assert len(task.server.seen) - sent == len(ROWS) - len(kept), "what has succeeded is not sent again"


def test_no_other_code_is_promised() -> None:
    promised = {
        int(code)
        for line in re.findall(r"^  ((?:\d+, )*\d+) ", EXIT_CODES, re.M)
        for code in line.split(", ")
    }
    assert promised == {way.code for way in WAYS}


async def test_an_internal_error_leaves_what_was_answered_a_summary_and_its_traceback(task: Task) -> None:
    assert await internal_error(task) == 70
    assert [result.status for result in whole_lines(task.output)] == ["succeeded"] * 5
    log = task.output.with_name("job.jsonl.log")
    said = "internal error: ZeroDivisionError: a fault of our own; the traceback is in"
    rest = "Finished results are written; run the same command to resume"
    assert task.summary is not None
    assert (task.summary["exit_code"], task.summary["succeeded"], task.summary["pending"]) == (70, 5, 15)
    assert task.summary["reasons"] == [f"{said} {log}. {rest}"]
    lines = log.read_text(encoding="utf-8").splitlines()
    assert any(" trace " in line and "in broken" in line for line in lines)
    assert any(line.endswith("ZeroDivisionError: a fault of our own") for line in lines)
    assert task.stderr.splitlines()[-1] == f"promptjobs: {said} {log}. {rest}"
    assert "Traceback" not in task.stderr


async def test_the_traceback_of_an_internal_error_is_shown_where_that_is_asked_for(task: Task) -> None:
    task.flags = ["-v"]
    assert await internal_error(task) == 70
    assert "Traceback (most recent call last)" in task.stderr


@pytest.mark.parametrize(
    ("reasons", "code"),
    [
        ({}, 0),
        ({"failed": True}, 1),
        ({"pending": True}, 1),
        ({"error": 1, "out_of_budget": True}, 8),
        ({"parkings": [Parking("auth", "")], "out_of_budget": True}, 7),
        ({"parkings": [Parking("auth", ""), Parking("connect", "", exit_code=75)], "failed": True}, 75),
        ({"signal": 2, "parkings": [Parking("connect", "", exit_code=75)], "out_of_budget": True}, 130),
        ({"signal": 1, "error": 1}, 129),
        ({"signal": 15, "error": 70}, 70),
        ({"signal": 15, "error": 74}, 74),
        ({"error": 143, "failed": True}, 143),
    ],
)
def test_the_most_pressing_reason_decides(reasons: dict[str, Any], code: int) -> None:
    assert exit_code(**{"failed": False, **reasons}) == code
