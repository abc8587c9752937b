"""One run at a time: a second process reports the holder of the output, and a dead process holds nothing."""

from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from batch.errors import OutputLockedError, OutputWriteError
from batch.results.lock import Holder, OutputLock, holder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLDER = """
import sys
from pathlib import Path
from batch.results.lock import OutputLock

with OutputLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(output: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the output until its standard input is closed."""
    command = [sys.executable, "-c", HOLDER, str(output)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output" / "results.jsonl"


def test_a_second_run_reports_which_run_has_locked_the_output(output: Path) -> None:
    with another_process(output) as holder, pytest.raises(OutputLockedError) as caught:
        OutputLock(output).acquire()
    assert re.fullmatch(
        rf"{re.escape(str(output))} is locked by another run \(process {holder.pid} on "
        rf"{re.escape(socket.gethostname())}, since \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00\)",
        str(caught.value),
    )
    assert caught.value.exit_code == 75


def test_a_refused_lock_does_not_affect_the_holder(output: Path) -> None:
    with another_process(output):
        for _ in range(3):
            with pytest.raises(OutputLockedError, match=r"process \d+ on"):
                OutputLock(output).acquire()


def test_the_lock_is_free_once_the_holder_has_ended(output: Path) -> None:
    with another_process(output):
        pass
    with OutputLock(output):
        assert str(os.getpid()) in output.with_name("results.jsonl.lock").read_text()


def test_a_holder_that_was_killed_holds_nothing(output: Path) -> None:
    with another_process(output) as holder:
        holder.kill()
        holder.wait()
        with OutputLock(output):
            assert str(os.getpid()) in output.with_name("results.jsonl.lock").read_text()


def test_two_locks_in_one_process_exclude_each_other(output: Path) -> None:
    with OutputLock(output), pytest.raises(OutputLockedError, match=f"process {os.getpid()} on"):
        OutputLock(output).acquire()
    with OutputLock(output):
        assert output.parent.is_dir()


def test_two_names_of_one_output_are_one_output(output: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.jsonl"
    link.symlink_to(output)
    with OutputLock(output), pytest.raises(OutputLockedError, match=re.escape(str(output))):
        OutputLock(link).acquire()


def test_other_outputs_are_free(output: Path) -> None:
    with OutputLock(output), OutputLock(output.with_name("other.jsonl")):
        assert not output.exists()


@pytest.mark.parametrize("text", [b"", b'{"pid":', b"\xff\xfe", b'{"pid":"x"}'])
def test_a_holder_without_a_record_holds_the_lock(text: bytes, output: Path) -> None:
    with OutputLock(output):
        output.with_name("results.jsonl.lock").write_bytes(text)
        with pytest.raises(OutputLockedError, match=r"is locked by another run$"):
            OutputLock(output).acquire()


def test_a_holders_record_cannot_write_to_the_terminal(output: Path) -> None:
    with OutputLock(output):
        lock_file = output.with_name("results.jsonl.lock")
        lock_file.write_text('{"pid": 1, "host": "\\u001b[2Jgone", "started": "now"}')
        with pytest.raises(OutputLockedError) as caught:
            OutputLock(output).acquire()
    assert str(caught.value).endswith(r"another run (process 1 on \x1b[2Jgone, since now)")


def test_an_output_that_cannot_be_locked_is_a_write_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputWriteError, match="cannot be locked: Not a directory"):
        OutputLock(tmp_path / "file" / "results.jsonl").acquire()


@pytest.mark.parametrize("is_known", [True, False])
def test_the_lock_file_of_another_user_is_reported_with_its_owner(
    output: Path, monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def unknown(_: int) -> None:
        raise KeyError

    with OutputLock(output):
        lock_file = output.with_name("results.jsonl.lock")
    owner = lock_file.owner() if is_known else f"the user {os.geteuid()}"
    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    if not is_known:
        monkeypatch.setattr("pwd.getpwuid", unknown)
    with pytest.raises(OutputWriteError) as caught:
        OutputLock(output).acquire()
    assert (
        str(caught.value) == f"{output} cannot be locked: Permission denied; {lock_file} belongs to {owner}"
    )
    lock_file.unlink()
    with pytest.raises(OutputWriteError, match=r"Permission denied$"):
        OutputLock(output).acquire()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK], ids=errno.errorcode.get)
def test_a_file_system_without_locks_is_refused(
    number: int, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(OutputWriteError, match=r"cannot be locked: .*its file system has no locks"):
        OutputLock(output).acquire()
    monkeypatch.undo()
    with OutputLock(output):
        assert output.with_name("results.jsonl.lock").exists(), "nothing was left that blocks"


def test_the_holder_of_an_output_is_told_as_long_as_it_holds_it(output: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.jsonl"
    link.symlink_to(output)
    assert holder(output) is None
    with another_process(output) as process:
        for path in (output, link):
            found = holder(path)
            assert found is not None
            assert (found.pid, found.host) == (process.pid, socket.gethostname())
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found.started)
    assert holder(output) is None


def test_a_holder_that_was_killed_or_has_not_signed_yet(output: Path) -> None:
    with another_process(output) as process:
        output.with_name("results.jsonl.lock").write_text("")
        assert holder(output) == Holder(0, "", "")
        process.kill()
        process.wait()
    assert holder(output) is None


def test_asking_for_the_holder_refuses_no_run(output: Path) -> None:
    """A run begins although its lock is looked at without a pause."""
    with OutputLock(output):
        pass
    looking = threading.Event()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            holder(output)
            looking.set()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        assert looking.wait(10)
        for _ in range(20):
            with OutputLock(output):
                pass
    finally:
        done.set()
        thread.join()


def test_nothing_is_left_by_asking(output: Path) -> None:
    assert holder(output) is None
    assert not output.parent.exists()
