"""The endpoint's process: its start, its output, and that it never outlives its parent."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import anyio.from_thread
import pytest
from filelock import FileLock

from batch.errors import LocalModelError, UsageError
from batch.local_model.endpoint import Endpoint, decode, encode_failed, encode_ready
from batch.local_model.engine_llama import LlamaEngine
from batch.local_model.foreground import serve
from batch.local_model.parent import started
from batch.local_model.weights import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio

NOWHERE = Path("/nonexistent")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel")
CHILD = [sys.executable, "-m", "batch.local_model", "--engine", "extractive"]
PARENT = """
import os, sys, anyio
from pathlib import Path
from batch.local_model.parent import started

async def main():
    async with started("extractive", cache=Path("/nonexistent"), progress=print) as (endpoint, _):
        if sys.argv[1] == "forks" and os.fork() == 0:
            os.read(0, 1)  # holds the pipe to the endpoint open until the test is over
            os._exit(0)
        print(endpoint.base_url, flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""
SERVE = """
import anyio
from functools import partial
from pathlib import Path
from batch.local_model.foreground import serve

anyio.run(partial(
    serve, "extractive", host="127.0.0.1", port=0, key="correct-horse", cache=Path("/nonexistent"),
    announce=lambda endpoint: print(endpoint.base_url, endpoint.api_key, flush=True), progress=print,
))
"""


def ignore(done: int, total: int) -> None:
    """Progress that is not shown."""


extractive = partial(started, "extractive", cache=NOWHERE, progress=ignore)


def connect(base_url: str) -> socket.socket:
    url = urlsplit(base_url)
    return socket.create_connection((url.hostname, url.port), timeout=20)


def status(connection: socket.socket) -> bytes:
    """The status line of the answer to ``GET /health`` on an open connection."""
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return connection.recv(65536).split(b"\r\n")[0]


def is_cut(connection: socket.socket) -> bool:
    """Whether the other side closes the connection; waits for it."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def children() -> list[int]:
    """The endpoints that this process has started and that still run, by the kernel's word."""
    started = [
        int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()
    ]
    return [pid for pid in started if "batch.local_model" in command_line(pid)]


def command_line(pid: int) -> str:
    """The information about a process that every user of the machine can read."""
    return Path(f"/proc/{pid}/cmdline").read_text()


@contextmanager
def popen(*command: str, new_session: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A process with pipes for its input and output, killed at the end."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=new_session
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


async def test_it_runs_inside_the_block_and_not_after() -> None:
    async with extractive() as (endpoint, _):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", endpoint.base_url)
        assert (endpoint.engine, endpoint.model, endpoint.weights_sha256) == (
            "extractive",
            "extractive",
            None,
        )
        with connect(endpoint.base_url) as connection:
            assert status(connection) == b"HTTP/1.1 200 OK"
    with pytest.raises(ConnectionRefusedError):
        connect(endpoint.base_url)


@LINUX
async def test_every_run_has_a_key_of_its_own_that_shows_nowhere() -> None:
    async with extractive() as (one, _), extractive() as (other, _):
        assert one.api_key != other.api_key
        assert len(one.api_key) >= 32
        assert one.api_key not in repr(one)
        shown = [command_line(pid) for pid in children()]
        assert len(shown) == 2
        assert all(one.api_key not in line for line in shown)


async def test_a_key_can_be_given() -> None:
    async with extractive(key="correct-horse") as (endpoint, _):
        assert endpoint.api_key == "correct-horse"


async def test_an_error_inside_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with extractive():
            raise ZeroDivisionError


async def test_cancelling_the_block_ends_the_endpoint() -> None:
    with anyio.CancelScope() as scope:
        async with extractive() as (endpoint, _):
            scope.cancel()
            await anyio.sleep_forever()
    with pytest.raises(ConnectionRefusedError):
        connect(endpoint.base_url)


async def test_modules_of_the_current_directory_stay_out_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("aiohttp", "msgspec", "batch"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a module of the current directory')")
    monkeypatch.chdir(tmp_path)
    async with extractive() as (endpoint, _):
        assert endpoint.engine == "extractive"


async def test_a_taken_port_is_an_error_that_says_so() -> None:
    async with extractive() as (endpoint, _):
        with pytest.raises(LocalModelError, match=r"port \d+ of 127\.0\.0\.1 is in use by another program"):
            async with extractive(port=urlsplit(endpoint.base_url).port or 0):
                raise AssertionError("it cannot have started")


async def test_a_port_that_cannot_be_is_an_error_that_says_so() -> None:
    with pytest.raises(LocalModelError, match="port must be 0-65535"):
        async with extractive(port=99_999):
            raise AssertionError("it cannot have started")


async def test_a_child_that_dies_leaves_its_last_words() -> None:
    with pytest.raises(LocalModelError, match=r"exit code 2(?s:.*)--engine: expected one argument"):
        async with started("--engine", cache=NOWHERE, progress=ignore):
            raise AssertionError("it cannot have started")


async def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(LocalModelError, match=r"none\.gguf.*engine is `llama`, `extractive`"):
        async with started(str(tmp_path / "none.gguf"), cache=tmp_path, progress=ignore):
            raise AssertionError("it cannot have started")


async def test_damaged_default_weights_are_named_and_not_replaced_in_silence(tmp_path: Path) -> None:
    path = tmp_path / Path(DEFAULT.member).name
    with path.open("wb") as file:
        file.truncate(DEFAULT.member_size)
    with pytest.raises(LocalModelError, match=rf"{path}.*delete it"):
        async with started("llama", cache=tmp_path, progress=ignore):
            raise AssertionError("it cannot have started")
    assert path.exists()


async def test_cancelling_while_it_waits_for_the_weights_takes_effect(tmp_path: Path) -> None:
    with FileLock(tmp_path / (Path(DEFAULT.member).name + ".lock")), anyio.fail_after(20):
        with anyio.CancelScope() as scope:
            async with started(
                "llama", cache=tmp_path, progress=lambda *_: anyio.from_thread.run_sync(scope.cancel)
            ):
                raise AssertionError("it cannot have started")
    assert scope.cancelled_caught


def test_a_file_that_is_no_gguf_is_named(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    path = tmp_path / "notes.gguf"
    path.write_text("not weights at all")
    with pytest.raises(LocalModelError, match=rf"{path}.*GGUF"):
        LlamaEngine(path, "notes")


@pytest.mark.parametrize(
    ("module", "hint"),
    [
        ("raise ModuleNotFoundError", r"pip install 'promptjobs\[local\]'"),
        ("raise ImportError('libgomp.so.1: cannot open shared object file')", r"apt install libgomp1"),
        ("raise ImportError('wrong ELF class')", r"wrong ELF class"),
    ],
)
def test_what_llama_lacks_is_named_and_nothing_stands_in_for_it(
    module: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xllamacpp.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "xllamacpp", raising=False)
    with pytest.raises(LocalModelError, match=rf"{hint}.*engine: extractive"):
        LlamaEngine(tmp_path / "any.gguf", "any")


def test_the_announcement_is_one_line_of_json() -> None:
    with popen(*CHILD) as child:
        assert json.loads(first_line(child)).keys() == {
            "base_url", "api_key", "model", "engine", "weights_sha256"
        }  # fmt: skip


def test_the_announcement_survives_the_way() -> None:
    endpoint = Endpoint("http://127.0.0.1:1", "k", "m", "llama", "0" * 64)
    assert decode(encode_ready(endpoint)) == endpoint
    assert decode(encode_failed("no, because")) == "no, because"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1])
def test_a_signal_that_is_not_for_the_child_leaves_it_serving(number: int) -> None:
    with popen(*CHILD) as child:
        base_url = json.loads(first_line(child))["base_url"]
        child.send_signal(number)
        with connect(base_url) as connection:
            assert status(connection) == b"HTTP/1.1 200 OK"


def test_sigterm_ends_the_child() -> None:
    with popen(*CHILD) as child:
        first_line(child)
        child.terminate()
        assert child.wait(20) == -signal.SIGTERM


def test_the_end_of_its_input_ends_the_child() -> None:
    with popen(*CHILD) as child:
        first_line(child)
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(20) == 0


@pytest.mark.parametrize("forks", ["does not fork", pytest.param("forks", marks=LINUX)])
def test_it_dies_with_a_parent_that_is_killed(forks: str) -> None:
    with (
        popen(sys.executable, "-c", PARENT, forks) as parent,
        connect(first_line(parent).strip()) as connection,
    ):
        assert status(connection) == b"HTTP/1.1 200 OK"
        os.kill(parent.pid, signal.SIGKILL)
        assert is_cut(connection)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serving_in_the_foreground_ends_well_with_a_signal_to_the_whole_group(number: int) -> None:
    with popen(sys.executable, "-c", SERVE, new_session=True) as server:
        base_url, key = first_line(server).split()
        assert key == "correct-horse"
        with connect(base_url) as connection:
            assert status(connection) == b"HTTP/1.1 200 OK"
            os.killpg(server.pid, number)
            assert is_cut(connection)
        assert server.wait(20) == 0


@LINUX
async def test_serving_ends_with_an_error_if_the_endpoint_dies() -> None:
    def kill_the_child(endpoint: Endpoint) -> None:
        (child,) = children()
        os.kill(child, signal.SIGKILL)

    with pytest.raises(LocalModelError, match="ended unexpectedly"):
        await serve(
            "extractive", host="127.0.0.1", port=0, key=None, cache=NOWHERE,
            announce=kill_the_child, progress=ignore,
        )  # fmt: skip


async def test_serving_others_needs_a_key_that_was_chosen() -> None:
    with pytest.raises(UsageError, match="key"):
        await serve(
            "extractive", host="0.0.0.0", port=0, key=None, cache=NOWHERE,
            announce=lambda _: None, progress=ignore,
        )  # fmt: skip
