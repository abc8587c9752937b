"""The command with hostile answers, signals during computation, hang-ups, and too few open files."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest

from batch.testing import FaultServer, answer
from tests.docs.test_main_job import children_of
from tests.support.chat_server import ChatServer, serving
from tests.support.job_files import write_job
from tests.support.kill_support import whole_lines

if TYPE_CHECKING:
    from batch.testing import Script
    from batch.testing.fault_server import Received
    from tests.conftest import Command

pytestmark = pytest.mark.anyio

MAIL = {
    "type": "object",
    "properties": {"mail": {"type": "string", "pattern": "^([a-zA-Z0-9]+)*(@[a-z.]+)$"}},
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "a", "schema": {**MAIL, "required": ["mail"]}}}


@pytest.mark.slow
async def test_a_catastrophic_pattern_costs_its_own_answer(promptjobs: Command) -> None:
    def script(received: Received) -> Script:
        is_hostile = received.messages[0]["content"] == "hostile"
        return answer(json.dumps({"mail": "a" * 40 + "!" if is_hostile else "a@b.c"}))

    async with FaultServer(script) as server:
        rows = {"one": "hostile", **{f"row-{n}": "?" for n in range(20)}}
        write_job(promptjobs.folder, server.url, rows, response_format=FORMAT)
        ended = await promptjobs("run", "job.yaml", "--json")
    assert ended.code == 1
    results = {result.id: result for result in whole_lines(promptjobs.folder / "output" / "job.jsonl")}
    assert [name for name, result in results.items() if result.status == "failed"] == ["one"]
    error = results["one"].error
    assert error is not None
    assert (error.code, error.message) == ("invalid_output", "checking the answer took longer than 5 s")
    assert len(results) == len(server.requests) == 21


HUGE = {"prompt": "{{ ([[1]] * 1000000) | sum(start=[]) | length }}"}
"""A template that is one call of C code, which takes hours."""


async def busy(promptjobs: Command) -> anyio.abc.Process:
    """A command that has computed in C code for a while."""
    write_job(promptjobs.folder, "http://127.0.0.1:9/v1", {"one": "?"}, **HUGE)
    process = await anyio.open_process(
        promptjobs.arguments("run", "job.yaml"), cwd=promptjobs.folder, env=promptjobs.environment
    )
    log = promptjobs.folder / "output" / "job.jsonl.log"
    while not log.exists():  # noqa: ASYNC110 - it tells us nothing
        await anyio.sleep(0.01)
    await anyio.sleep(1.5)
    return process


@pytest.mark.parametrize(
    ("first", "second"),
    [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)],
)
async def test_a_second_signal_ends_a_process_that_computes_in_c(
    promptjobs: Command, first: signal.Signals, second: signal.Signals
) -> None:
    with anyio.fail_after(60):
        async with await busy(promptjobs) as process:
            process.send_signal(first)
            await anyio.sleep(0.5)
            assert process.returncode is None, "one signal cannot end it"
            process.send_signal(second)
            began = anyio.current_time()
            code = await process.wait()
            assert anyio.current_time() - began < 2, "a second, on a busy machine"
            assert process.stderr is not None
            said = b"".join([piece async for piece in process.stderr]).decode()
    assert code == -signal.SIGKILL
    assert said == "promptjobs: killed by a second signal while it was busy; run the same command to resume\n"


BUSY = """
import os, signal
from batch.app.run.watchdog import Watchdog

class Entered:
    def __new__(cls):
        filled = dict.fromkeys(map(str, range(999)))
        return object.__new__(cls)

def on_signal(*_):
    watchdog.take()
    os.write(1, b".")

with Watchdog() as watchdog:
    signal.signal(signal.SIGTERM, on_signal)
    os.write(1, b".")
    while True:
        Entered()
"""
"""Clears the frames of functions that C code called, most of the time."""


def test_signals_do_not_crash_running_code(promptjobs: Command) -> None:
    command = [sys.executable, "-c", BUSY]
    with subprocess.Popen(command, env=promptjobs.environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        handled = 0
        while process.stdout.read(1):
            handled += 1
            process.terminate()
        assert process.wait() == -signal.SIGKILL, "by the watchdog"
    assert handled > 10, "the first two of them start its clock"


async def test_a_killed_command_leaves_no_watchdog(promptjobs: Command) -> None:
    with anyio.fail_after(60):
        async with await busy(promptjobs) as process:
            (watchdog,) = await anyio.to_thread.run_sync(children_of, process.pid)
            process.kill()
            await process.wait()
            while is_running(watchdog):  # noqa: ASYNC110 - it tells us nothing
                await anyio.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether a process computes or waits; one that has ended may wait for its parent to notice."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], check=False, capture_output=True, text=True)
    return found.stdout.strip() not in ("", "Z")


async def test_under_nohup_a_run_survives_its_terminal(promptjobs: Command) -> None:
    asked, over = anyio.Event(), anyio.Event()

    async def ignore_hang_ups(process: anyio.abc.Process) -> None:
        await asked.wait()
        process.send_signal(signal.SIGHUP)
        await anyio.sleep(0.2)
        over.set()

    server = ChatServer()

    async def hold() -> None:
        asked.set()
        await over.wait()

    server.before_answer = hold
    async with serving(server), anyio.create_task_group() as tasks:
        write_job(promptjobs.folder, f"{server.url}/v1", {"one": "?"})
        command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *promptjobs.arguments("run", "job.yaml")]
        async with await anyio.open_process(
            command, cwd=promptjobs.folder, env=promptjobs.environment
        ) as process:
            tasks.start_soon(ignore_hang_ups, process)
            with anyio.fail_after(60):
                assert await process.wait() == 0


@pytest.mark.parametrize(("limit", "code"), [(12, 2), (16, 2), (20, 2), (24, 2), (40, 0)])
async def test_a_tiny_limit_of_open_files_is_a_one_line_error(
    promptjobs: Command, limit: int, code: int
) -> None:
    async with FaultServer(answer("fine")) as server:
        write_job(promptjobs.folder, server.url, {f"row-{n}": "?" for n in range(9)}, concurrency=64)
        command = promptjobs.arguments("run", "job.yaml")
        with anyio.fail_after(60):
            ended = await anyio.run_process(
                ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *command],
                cwd=promptjobs.folder,
                env=promptjobs.environment,
                check=False,
            )
    said = ended.stderr.decode()
    assert "Traceback" not in said
    assert ended.returncode == code, said
    if code:
        assert said.startswith(f"promptjobs: the open-file limit is {limit}, and at least ")
        assert said.endswith(" are needed; raise it, see `ulimit -n`\n")
        assert not server.requests
    else:
        assert " Concurrency limited to " in said


async def test_the_limit_of_open_files_is_raised_to_what_is_allowed(promptjobs: Command) -> None:
    async with FaultServer(answer("fine")) as server:
        write_job(promptjobs.folder, server.url, {f"row-{n}": "?" for n in range(9)}, concurrency=64)
        command = promptjobs.arguments("run", "job.yaml")
        ended = await anyio.run_process(
            ["sh", "-c", 'ulimit -S -n 30; exec "$@"', "sh", *command],
            cwd=promptjobs.folder,
            env=promptjobs.environment,
            check=False,
        )
    assert ended.returncode == 0
    assert b"Concurrency limited" not in ended.stderr


def test_the_command_starts_without_the_machinery_for_checks() -> None:
    code = (
        "import sys, batch.checking.checker, batch.runner; "
        "sys.exit(any(name in sys.modules for name in ('jsonschema', 'referencing')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
