"""``promptjobs status --watch``: on a pseudo-terminal, in a pipe, stopped and continued, until the end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import termios
import time
from typing import TYPE_CHECKING, Self

import msgspec
import pyte
import pytest

from batch.app.inspect.active_run import ActiveRun
from batch.cli.watch_frame import frame, log_line
from batch.display_width import display_width
from batch.results.lock import Holder, OutputLock
from batch.results.progress_file import EndpointProgress, ParkedState, Progress, RecentFailure, write_progress
from batch.results.summary_file import write_summary
from tests.unit.results.test_run_history import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Command
    from tests.support.cli_support import Cli

HOSTILE = "a\x1b]0;title\x07\x1b[2J\u202eb\nc\u2028日本語" + "é" * 200
STARTED = "2026-11-29T00:00:00Z"


def progress(done: int = 42, **changes: object) -> Progress:
    found = Progress(
        schema_version=1,
        pid=os.getpid(),
        host=os.uname().nodename,
        name="summaries",
        output="/out.jsonl",
        started_at=STARTED,
        updated_at="2026-11-29T00:00:20.000Z",
        seconds=20.0,
        total=100,
        done=done,
        succeeded=done,
        failed={"http_500": 2},
        attempts=50,
        retries=6,
        requests_per_second=2.1,
        tokens_per_second=512.0,
        seconds_left=27.6,
        prompt_tokens=4200,
        completion_tokens=1020,
        cost=0.12,
        currency="USD",
        in_flight=7,
        limit=8,
        retries_waiting=1,
        held_back="http_429",
        endpoints=[
            EndpointProgress("m", 7, 8),
            EndpointProgress("n", 0, 0, ParkedState("auth")),
        ],
        failures=[
            RecentFailure("r1", "http_500", "no", STARTED),
            RecentFailure("r2", "http_500", "No", STARTED),
        ],
    )
    return msgspec.structs.replace(found, **changes)


def active(found: Progress | None) -> ActiveRun:
    return ActiveRun(Holder(7, "box", "2026-11-29T00:00:00+00:00"), found)


# Frames


def test_a_frame() -> None:
    shown = frame(active(progress()), "no report for 9 s", 79, 24)
    assert [line.rstrip() for line in shown] == [
        "summaries: process 7 on box, since 2026-11-29T00:00:00+00:00",
        " 42%|██████████▉               |  42/100  failed 2    ETA  0:00:28   2.10 req/s",
        "in flight 7 of 8: held back by 429s, retries 6 (1 waiting)",
        "attempts 50, tokens 4200 in, 1020 out, cost 0.12",
        "n parked for this run: auth",
        "no report for 9 s",
        "m: in flight 7 of 8",
        "r2 failed: http_500: No",
        "r1 failed: http_500: no",
    ]


def test_before_anything_is_sent_there_is_only_the_process() -> None:
    assert frame(active(None), "reading", 79, 24) == [
        "run: process 7 on box, since 2026-11-29T00:00:00+00:00",
        "reading",
    ]


def test_a_line_in_a_pipe() -> None:
    assert log_line(progress()) == (
        "2026-11-29T00:00:20.000Z 42/100 done, failed 2, in flight 7 of 8: held back by 429s, "
        "retries 6 (1 waiting), 126.0 requests/min, 512 tokens/s, cost 0.12, ETA 0:00:28, "
        "n parked for this run: auth"
    )


@pytest.mark.parametrize("columns", [20, 39, 79, 200])
@pytest.mark.parametrize("rows", [3, 23])
@pytest.mark.parametrize("total", [100, None])
def test_whatever_a_server_sends_a_frame_fits_and_cannot_act(
    columns: int, rows: int, total: int | None
) -> None:
    found = progress(
        name=HOSTILE,
        total=total,
        failed={HOSTILE: 2},
        held_back=HOSTILE,
        endpoints=[EndpointProgress(HOSTILE, 1, 2), EndpointProgress("n", 0, 0, ParkedState(HOSTILE))],
        failures=[RecentFailure(HOSTILE, HOSTILE, HOSTILE, HOSTILE)] * 9,
    )
    shown = frame(active(found), HOSTILE[:0], columns, rows)
    assert len(shown) <= rows
    assert max(map(display_width, shown)) <= columns
    assert all(line.isprintable() for line in shown)
    assert not set("".join(shown)) & set("\x1b\x07\u202e\u2028\n")


# On a terminal


class Watching:
    """``status --watch`` on a pseudo-terminal of 80 columns."""

    def __init__(self, promptjobs: Command, *arguments: str) -> None:
        self.screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self.screen)
        self.shown = b""
        self._ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        environment = {**promptjobs.environment, "TERM": "xterm", "LANG": "C.UTF-8"}
        self.process = subprocess.Popen(
            promptjobs.arguments("status", "out.jsonl", "--watch", *arguments),
            cwd=promptjobs.folder,
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    @property
    def lines(self) -> list[str]:
        """The lines of the screen that are not empty."""
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def until(self, is_shown: Callable[[], bool]) -> None:
        """Read until the screen shows something; fails after half a minute."""
        end = time.monotonic() + 30
        while not is_shown():
            assert time.monotonic() < end, self.lines
            assert self._read(), self.lines

    def until_its_end(self) -> int:
        while self._read():
            pass
        return self.process.wait(30)

    def _read(self) -> bool:
        try:
            piece = os.read(self._ours, 65536)
        except OSError:  # Linux says EIO where the other side has been closed
            return False
        self.shown += piece
        self._stream.feed(piece)
        return bool(piece)

    def shows(self, words: str) -> Callable[[], bool]:
        return lambda: any(words in line for line in self.lines)


@pytest.fixture
def output(promptjobs: Command) -> Path:
    return promptjobs.folder / "out.jsonl"


@pytest.fixture
def lock(output: Path) -> Iterator[OutputLock]:
    """A run of this process, as others see it."""
    with OutputLock(output) as lock:
        write_progress(output, progress())
        yield lock


def test_it_redraws_the_same_lines_until_the_run_ends(
    promptjobs: Command, output: Path, lock: OutputLock
) -> None:
    with Watching(promptjobs) as watching:
        watching.until(watching.shows(" 42/100 "))
        first = watching.lines
        assert [line.split(":")[0] for line in first[3:]] == [
            "attempts 50, tokens 4200 in, 1020 out, cost 0.12",
            "n parked for this run",
            "m",
            "r2 failed",
            "r1 failed",
        ]
        write_progress(output, progress(77, failures=[]))
        watching.until(watching.shows(" 77/100 "))
        assert len(watching.lines) == len(first) - 2
        ended = record("summaries").summary
        write_summary(output, msgspec.structs.replace(ended, started_at=STARTED, total=100, succeeded=98))
        lock.release()
        assert watching.until_its_end() == 0
        assert watching.lines == [
            "summaries: 98 succeeded, 0 failed, 0 pending of 100",
            "the run has ended after 1.5 s with exit code 0",
        ]


def test_hostile_text_reaches_the_terminal_escaped_and_nothing_wraps(
    promptjobs: Command, output: Path, lock: OutputLock
) -> None:
    failures = [RecentFailure(HOSTILE, "http_500", HOSTILE, STARTED)] * 5
    write_progress(output, progress(name=HOSTILE, failures=failures))
    with Watching(promptjobs) as watching:
        watching.until(lambda: len(watching.lines) == 11)
        assert sum("\\x1b]0;title\\x07" in line for line in watching.lines) == 6
        sequences = set(re.findall(rb"\x1b.[^A-Za-z]*[A-Za-z]?", watching.shown))
        assert sequences <= {b"\x1b[K", b"\x1b[J", b"\x1b[11A"}


def test_it_continues_after_it_was_stopped_below_what_was_written_meanwhile(
    promptjobs: Command, output: Path, lock: OutputLock
) -> None:
    with Watching(promptjobs) as watching:
        watching.until(watching.shows(" 42/100 "))
        watching.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, watching.process.pid, os.WSTOPPED)
        write_progress(output, progress(50))
        watching.process.send_signal(signal.SIGCONT)
        watching.until(watching.shows(" 50/100 "))
        assert watching.shows(" 42/100 ")()


def test_an_interrupt_ends_it_without_a_word(promptjobs: Command, lock: OutputLock) -> None:
    with Watching(promptjobs) as watching:
        watching.until(watching.shows(" 42/100 "))
        before = watching.lines
        watching.process.send_signal(signal.SIGINT)
        assert watching.until_its_end() == 130
        assert watching.lines == before


def test_it_notices_that_the_run_is_stopped_and_that_it_finishes(
    promptjobs: Command, output: Path, lock: OutputLock
) -> None:
    with Watching(promptjobs) as watching:
        watching.until(watching.shows("no report for 5 s: the process is stopped"))
        output.with_name("out.jsonl.progress.json").unlink()
        watching.until(watching.shows("everything is sent; the output is being finished"))
        assert watching.shows(" 42/100 ")()
        lock.release()
        assert watching.until_its_end() == 0
        assert watching.lines == [
            "the run has ended without a summary; `promptjobs status` counts its results"
        ]


# Elsewhere


def test_in_a_pipe_it_prints_a_line_for_each_change(
    promptjobs: Command, output: Path, lock: OutputLock
) -> None:
    with subprocess.Popen(
        promptjobs.arguments("status", "out.jsonl", "--watch"),
        cwd=promptjobs.folder,
        env=promptjobs.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert " 42/100 done, failed 2, " in process.stdout.readline()
        write_progress(output, progress(43))
        assert " 43/100 done, failed 2, " in process.stdout.readline()
        lock.release()
        rest = process.stdout.read()
    assert process.returncode == 0
    assert rest == "the run has ended without a summary; `promptjobs status` counts its results\n"


def test_a_reader_that_leaves_ends_it(promptjobs: Command, output: Path, lock: OutputLock) -> None:
    with subprocess.Popen(
        promptjobs.arguments("status", "out.jsonl", "-w"),
        cwd=promptjobs.folder,
        env=promptjobs.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        write_progress(output, progress(43))
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_without_an_active_run_it_says_so(cli: Cli) -> None:
    (cli.folder / "out.jsonl").touch()
    ended = cli("status", "out.jsonl", "--watch")
    assert (ended.code, ended.stdout) == (0, "no run is active on out.jsonl\n")


def test_it_has_no_json(cli: Cli) -> None:
    (cli.folder / "out.jsonl").touch()
    ended = cli("status", "out.jsonl", "--watch", "--json")
    assert ended.code == 2
    assert "--watch cannot be combined with --json" in ended.stderr
