"""The result log: acknowledged lines stay, partial lines are removed, and each id has one line."""

from __future__ import annotations

import errno
import os
import resource
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.codec import decode_result, encode_result
from batch.errors import ForeignOutputError, OutputWriteError
from batch.records import Known
from batch.results.result_log import ResultLog
from tests.support.results_support import failed, hostile_results, succeeded
from tests.support.simulated_disk import SimulatedDisk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from batch.protocols import Sink
    from batch.records import Result

PATH = Path("/results.jsonl")
CORRUPT = Path("/results.jsonl.corrupt")
DONE = Known("0" * 32, succeeded=True)

pytestmark = pytest.mark.anyio


def ids(content: bytes) -> list[str]:
    """The ids of the lines, in their order; fails where one of them is not a result."""
    return [decode_result(line).id for line in content.splitlines(keepends=True)]


def lines(*request_ids: str) -> bytes:
    return b"".join(encode_result(succeeded(request_id)) for request_id in request_ids)


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def held(content: bytes) -> SimulatedDisk:
    disk = SimulatedDisk()
    disk.put(PATH, content)
    return disk


# What a run leaves, the next one finds


def test_an_aborted_opening_repairs_nothing() -> None:
    class GivenUpError(Exception):
        pass

    seen: list[str] = []

    def look_up(result: Result) -> None:
        seen.append(result.id)
        if result.id == "b":
            raise GivenUpError

    content = lines("a") + b"partial\n" + lines("b", "c") + b"partial"
    disk = held(content)
    with pytest.raises(GivenUpError):
        ResultLog.open(PATH, files=disk, each=look_up)
    assert seen == ["a", "b"]
    assert disk.content(PATH) == content
    assert disk.names() == {PATH.name}


async def test_what_was_written_is_known_to_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "output" / "new" / "results.jsonl"
    with ResultLog.open(path) as log:
        sink: Sink = log
        await sink.write([succeeded("a"), failed("b", runs=2)])
        await sink.write([succeeded("c")])
    with ResultLog.open(path) as log:
        assert log.known("a") == DONE
        assert log.known("b") == Known("0" * 32, succeeded=False, retryable=True, runs=2, code="http_500")
        assert log.known("d") is None
        assert (len(log.contents.index), log.notices) == (3, [])
    assert ids(path.read_bytes()) == ["a", "b", "c"]


async def test_a_run_that_writes_nothing_leaves_no_file(tmp_path: Path) -> None:
    with ResultLog.open(tmp_path / "results.jsonl") as log:
        await log.write([])
        await log.finish()
    assert names_in(tmp_path) == []


async def test_flush_durability_does_not_sync() -> None:
    disk = held(lines("a"))
    disk.errors["sync"] = errno.EIO
    with ResultLog.open(PATH, durability="flush", files=disk) as log:
        await log.write([succeeded("b")])
    assert ids(disk.content(PATH)) == ["a", "b"]


async def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link, target = tmp_path / "link.jsonl", tmp_path / "target.jsonl"
    link.symlink_to(target)
    with ResultLog.open(link) as log:
        await log.write([succeeded("a")])
    assert link.is_symlink()
    assert ids(target.read_bytes()) == ["a"]


async def test_rewriting_keeps_the_mode_of_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(lines("a", "a"))
    path.chmod(0o600)
    with ResultLog.open(path) as log:
        await log.finish()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
async def test_rewriting_by_root_leaves_the_file_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(lines("a", "a"))
    path.chmod(0o640)
    os.chown(path, 1234, 4321)
    with ResultLog.open(path) as log:
        await log.finish()
    found = path.stat()
    assert path.read_bytes() == lines("a")
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (1234, 4321, 0o640)


@settings(deadline=None, max_examples=30)
@given(st.lists(hostile_results, min_size=1, max_size=5))
def test_any_result_can_be_written_and_found_again(results: Sequence[Result]) -> None:
    disk = SimulatedDisk()
    log = ResultLog.open(PATH, files=disk)
    anyio.run(log.write, results)
    again = ResultLog.open(PATH, files=disk)
    for result in results:
        assert again.known(result.id) == log.known(result.id) is not None
    assert again.notices == []


# Files that a run finds damaged


def test_a_file_cut_at_any_byte_keeps_its_whole_lines() -> None:
    whole = lines(*[f"{number:02}" for number in range(8)])
    for length in range(len(whole) + 1):
        lacks_a_line_end = whole[length : length + 1] == b"\n"
        kept = length + 1 if lacks_a_line_end else length
        disk = held(whole[:length])
        log = ResultLog.open(PATH, files=disk)
        assert disk.content(PATH) == whole[: whole.rfind(b"\n", 0, kept) + 1]
        assert len(log.contents.index) == whole.count(b"\n", 0, kept)
        assert len(log.notices) == (not whole[:length].endswith(b"\n") and length > 0)


async def test_requests_of_removed_partial_lines_are_sent_again() -> None:
    names = [f"{number:02}" for number in range(50)]
    whole = lines(*names)
    for length in range(0, len(whole), 41):  # no divisor of a line's length, so that all of it is hit
        disk = held(whole[:length])
        with ResultLog.open(PATH, files=disk) as log:
            await log.write([succeeded(name) for name in names if not log.known(name)])
            await log.finish()
        assert disk.content(PATH) == whole


async def test_unreadable_lines_are_moved() -> None:
    bad = [b"\0\0\0\0\n", b"not a result\n", b'{"schema_version":1,"id":"x"\xff}\n', b"\n"]
    disk = held(lines("a") + bad[0] + lines("b") + b"".join(bad[1:]) + lines("a", "c") + b"{")
    disk.put(CORRUPT, b"earlier\n")
    with ResultLog.open(PATH, files=disk) as log:
        assert [bool(log.known(name)) for name in "abcx"] == [True, True, True, False]
        assert [notice.split(":")[1] for notice in log.notices] == [
            " removed a partial last line (1 bytes); its request is sent again",
            " 3 unreadable lines moved to results.jsonl.corrupt; their requests are sent again",
        ]
        await log.write([succeeded("x")])
        await log.finish()
    assert disk.content(CORRUPT) == b"earlier\n" + b"".join(bad[:3]), "a blank line is nothing"
    assert ids(disk.content(PATH)) == ["b", "a", "c", "x"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"name,age\nAnn,3\n", id="a table"),
        pytest.param(b"shopping", id="a word without a line end"),
        pytest.param(b"\n" + lines("a"), id="an empty first line"),
        pytest.param(b'{"custom_id":"a","response":null}\n', id="another program's results"),
        pytest.param(lines("a").replace(b'"schema_version":1', b'"schema_version":2'), id="a later version"),
        pytest.param(b"\x1f\x8b\x08\x00" * 50, id="a compressed file"),
    ],
)
def test_a_file_of_another_program_is_not_changed(content: bytes) -> None:
    disk = held(content)
    with pytest.raises(ForeignOutputError, match=r"results\.jsonl"):
        ResultLog.open(PATH, files=disk)
    assert disk.content(PATH) == content
    assert disk.names() == {PATH.name}


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["a directory", "a pipe"])
def test_a_file_that_is_not_regular_is_refused_at_once(make: object, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    assert callable(make)
    make(path)
    with pytest.raises(ForeignOutputError, match="not a regular file"):
        ResultLog.open(path)


def test_an_output_that_cannot_be_written_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputWriteError, match="cannot be opened"):
        ResultLog.open(tmp_path / "file" / "results.jsonl")


# One line per id


async def test_the_latest_line_of_an_id_wins() -> None:
    disk = held(encode_result(failed("a")) + lines("orphan", "b"))
    with ResultLog.open(PATH, files=disk) as log:
        await log.write([failed("b"), succeeded("c")])
        await log.write([succeeded("a")])
        assert len(log.contents.index) == 4
        await log.finish()
    assert ids(disk.content(PATH)) == ["orphan", "b", "c", "a"]
    assert [decode_result(line).status for line in disk.content(PATH).splitlines()] == [
        "succeeded",
        "failed",
        "succeeded",
        "succeeded",
    ]
    assert disk.names() == {PATH.name}


async def test_nothing_is_rewritten_where_nothing_was_superseded(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(lines("a"))
    inode = path.stat().st_ino
    with ResultLog.open(path) as log:
        await log.write([succeeded("b")])
        await log.finish()
    assert path.stat().st_ino == inode


async def test_a_finished_log_takes_no_more() -> None:
    disk = held(lines("a", "a"))
    log = ResultLog.open(PATH, files=disk)
    await log.finish()
    with pytest.raises(OutputWriteError, match="the log is closed"):
        await log.write([succeeded("b")])
    assert disk.content(PATH) == lines("a")


# Another program

MEDDLING = {
    "removes it": Path.unlink,
    "moves it": lambda path: path.rename(path.with_name("moved.jsonl")),
    "cuts it": lambda path: os.truncate(path, 10),
    "empties it": lambda path: os.truncate(path, 0),
    "adds to it": lambda path: path.write_bytes(path.read_bytes() + b"theirs"),
    "puts another in its place": lambda path: path.with_name("b").rename(path),
}


@pytest.mark.parametrize("meddle", MEDDLING.values(), ids=MEDDLING)
async def test_nothing_counts_that_is_not_in_the_file(
    meddle: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "results.jsonl"
    (tmp_path / "b").write_bytes(b"theirs")
    with ResultLog.open(path) as log:
        await log.write([succeeded("a")])
        meddle(path)
        left = path.read_bytes() if path.exists() else None
        for _ in range(2):
            with pytest.raises(OutputWriteError, match="moved or removed"):
                await log.write([succeeded("b")])
        assert log.known("b") is None
    assert (path.read_bytes() if path.exists() else None) == left, "what is theirs is not cut back"


@pytest.mark.parametrize("meddle", MEDDLING.values(), ids=MEDDLING)
async def test_a_run_whose_file_was_removed_fails(meddle: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    (tmp_path / "b").write_bytes(b"theirs")
    with ResultLog.open(path) as log:
        await log.write([succeeded("a")])
        meddle(path)
        with pytest.raises(OutputWriteError, match="moved or removed"):
            await log.finish()


async def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with ResultLog.open(path) as log:
        path.write_bytes(b"theirs")
        with pytest.raises(OutputWriteError, match="moved or removed"):
            await log.write([succeeded("a")])
    assert path.read_bytes() == b"theirs"


# Disks that fail


async def test_a_short_write_is_no_error() -> None:
    disk = held(lines("a"))
    disk.longest_write = 7
    with ResultLog.open(PATH, files=disk) as log:
        await log.write([succeeded("b"), succeeded("c")])
    assert ids(disk.content(PATH)) == ["a", "b", "c"]


@pytest.mark.parametrize("room", [0, 1, 100, len(lines("b"))])
async def test_a_full_disk_ends_the_run_and_loses_nothing(room: int) -> None:
    disk = held(lines("a"))
    disk.capacity = len(lines("a")) + room
    with ResultLog.open(PATH, files=disk) as log:
        with pytest.raises(OutputWriteError, match="No space left on device"):
            await log.write([succeeded("b"), succeeded("c")])
        assert disk.content(PATH) == lines("a")
        assert log.known("b") is None
        disk.capacity = None
        with pytest.raises(OutputWriteError, match="No space left on device"):
            await log.write([succeeded("b")])
    with ResultLog.open(PATH, files=disk) as log:
        await log.write([succeeded("b")])
    assert ids(disk.content(PATH)) == ["a", "b"]


@pytest.mark.parametrize(
    ("operation", "content"),
    [("sync", lines("a")), ("write", lines("a")), ("create", b""), ("sync", b""), ("replace", b"")],
)
async def test_an_error_truncates_unacknowledged_results(operation: str, content: bytes) -> None:
    disk = held(content)
    with ResultLog.open(PATH, files=disk) as log:
        disk.errors[operation] = errno.EIO
        with pytest.raises(OutputWriteError, match="Input/output error"):
            await log.write([succeeded("b")])
    assert disk.content(PATH) == content
    assert disk.names() == {PATH.name}


async def test_the_next_run_repairs_the_file_if_the_truncation_fails_too() -> None:
    disk = held(lines("a"))
    disk.capacity = len(lines("a")) + 100
    log = ResultLog.open(PATH, files=disk)
    disk.errors["truncate"] = errno.EIO
    with pytest.raises(OutputWriteError, match="No space left on device"):
        await log.write([succeeded("b")])
    assert len(disk.content(PATH)) > len(lines("a"))
    disk.errors.clear()
    assert ResultLog.open(PATH, files=disk).known("b") is None
    assert disk.content(PATH) == lines("a")


async def test_compaction_on_a_full_disk_leaves_the_file_as_it_was() -> None:
    disk = held(lines("a", "b", "a"))
    disk.capacity = len(lines("a", "b", "a")) + 100
    log = ResultLog.open(PATH, files=disk)
    with pytest.raises(OutputWriteError, match="could not be put in order"):
        await log.finish()
    assert disk.content(PATH) == lines("a", "b", "a")
    assert disk.names() == {PATH.name}


@contextmanager
def small_files(limit: int) -> Iterator[None]:
    """Limit the size of files of this process, by the kernel, also for files that pytest writes."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


async def test_a_quota_on_a_real_disk(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    acknowledged = []
    limit = 4000
    with small_files(limit):
        log = ResultLog.open(path)
        with suppress(OutputWriteError):
            for number in range(limit):
                await log.write([succeeded(str(number))])
                acknowledged.append(str(number))
        with pytest.raises(OutputWriteError, match="File too large"):
            await log.write([succeeded("one more")])
        log.close()
    assert len(acknowledged) >= 5
    assert ids(path.read_bytes()) == acknowledged
