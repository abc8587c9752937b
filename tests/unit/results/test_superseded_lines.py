"""Succeeded results that newer ones replace are kept once in a sidecar file, whatever ends the run."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from batch.codec import encode_result
from batch.errors import ForeignOutputError, OutputWriteError
from batch.results.event_log import EventLog
from batch.results.filesystem import Disk
from batch.results.result_log import ResultLog
from batch.results.sidecars import match_sidecars
from batch.results.superseded import Digests, check_superseded, set_aside
from tests.support.results_support import failed, succeeded
from tests.support.simulated_disk import PowerCutError, SimulatedDisk

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.anyio

PATH = Path("/results.jsonl")
SUPERSEDED = Path("/results.jsonl.superseded.jsonl")
CORRUPT = Path("/results.jsonl.corrupt")


def early(request_id: str) -> bytes:
    return encode_result(succeeded(request_id, "early"))


def late(request_id: str) -> bytes:
    return encode_result(succeeded(request_id, "late"))


def broken(request_id: str) -> bytes:
    return encode_result(failed(request_id))


def held(content: bytes, superseded: bytes | None = None) -> SimulatedDisk:
    disk = SimulatedDisk()
    disk.put(PATH, content)
    if superseded is not None:
        disk.put(SUPERSEDED, superseded)
    return disk


async def supersede(disk: SimulatedDisk, names: Iterable[str], **finish: bool) -> ResultLog:
    with ResultLog.open(PATH, files=disk) as log:
        await log.write([succeeded(name, "late") for name in names])
        await log.finish([*"abcdef"], prune=finish.get("prune", False), keep=finish.get("keep", True))
    return log


async def test_a_succeeded_result_moves_when_another_takes_its_place() -> None:
    disk = held(early("a") + early("b") + broken("c"))
    log = await supersede(disk, "bc")
    assert disk.content(PATH) == early("a") + late("b") + late("c")
    assert disk.content(SUPERSEDED) == early("b"), "a failure is no answer"
    assert log.kept == 1


async def test_it_moves_when_a_failure_takes_its_place() -> None:
    disk = held(early("a"))
    with ResultLog.open(PATH, files=disk) as log:
        await log.write([failed("a")])
        await log.finish(keep=True)
    assert disk.content(PATH) == broken("a")
    assert disk.content(SUPERSEDED) == early("a")


async def test_it_is_removed_on_request() -> None:
    disk = held(early("a"))
    log = await supersede(disk, "a", keep=False)
    assert disk.content(PATH) == late("a")
    assert disk.names() == {PATH.name}
    assert log.kept == 0


async def test_nothing_superseded_makes_no_file() -> None:
    disk = held(early("a"))
    await supersede(disk, "b")
    assert disk.names() == {PATH.name}


async def test_the_file_grows_from_night_to_night() -> None:
    disk = held(early("a") + early("b"))
    await supersede(disk, "a")
    await supersede(disk, "ab")
    assert disk.content(SUPERSEDED) == early("a") + early("b") + late("a")


async def test_the_order_of_the_output_changes_nothing_of_it() -> None:
    disk = held(early("b") + early("a"))
    with ResultLog.open(PATH, files=disk) as log:
        await log.write([succeeded("b", "late"), succeeded("b", "later")])
        await log.finish(["a", "b"], order="input", keep=True)
    assert disk.content(PATH) == early("a") + encode_result(succeeded("b", "later"))
    assert disk.content(SUPERSEDED) == early("b") + late("b")


# Pruning


async def test_pruning_removes_superseded_results_of_earlier_runs() -> None:
    disk = held(early("a"), superseded=early("x"))
    disk.put(CORRUPT, b"damaged\n")
    await supersede(disk, "", prune=True)
    assert disk.content(PATH) == early("a")
    assert disk.names() == {PATH.name}


async def test_pruning_keeps_superseded_results_of_this_run() -> None:
    disk = held(early("a") + b"damaged\n" + early("z"), superseded=early("x"))
    disk.put(CORRUPT, b"earlier\n")
    await supersede(disk, "a", prune=True)
    assert disk.content(PATH) == late("a")
    assert disk.content(SUPERSEDED) == early("a")
    assert disk.content(CORRUPT) == b"earlier\ndamaged\n"
    await supersede(disk, "", prune=True)
    assert disk.names() == {PATH.name}


# Deaths


def test_a_kill_at_any_operation_loses_and_duplicates_no_answer() -> None:
    content = early("a") + early("b") + broken("c") + late("a")
    deaths = 0
    for operation in range(1, 100):
        disk = held(content, superseded=early("x"))
        disk.power_fails_at = operation
        died = False
        try:
            finish(disk)
        except PowerCutError:
            died, deaths = True, deaths + 1
            disk.power_fails_at = None
            disk.forget_process()
            assert early("a") in disk.content(PATH) + disk.content(SUPERSEDED)
            finish(disk)
        assert disk.content(PATH) == late("a") + late("b") + late("c")
        kept = disk.content(SUPERSEDED).splitlines(keepends=True)
        # Where the run died after its append, its own answer to b is superseded by that of the next run.
        assert kept[0] == early("x")
        assert sorted({*kept[1:]}) == sorted(kept[1:]), "each once"
        assert {early("a"), early("b")} <= {*kept[1:]} <= {early("a"), early("b"), late("b"), late("c")}
        if not died:
            break
    assert deaths > 10


def finish(disk: SimulatedDisk) -> None:
    anyio.run(supersede, disk, "bc")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("operation", ["open", "write", "sync", "sync_directory", "replace", "create"])
async def test_a_disk_that_fails_meanwhile_leaves_the_output_whole(operation: str, number: int) -> None:
    content = early("a") + early("b")
    disk = held(content, superseded=early("x"))
    log = ResultLog.open(PATH, files=disk)
    await log.write([succeeded("a", "late")])
    disk.errors[operation] = number
    with pytest.raises(OutputWriteError, match="could not be put in order"):
        await log.finish(keep=True)
    log.close()
    assert disk.content(PATH) == content + late("a")
    disk.errors.clear()
    await supersede(disk, "")
    assert disk.content(PATH) == early("b") + late("a")
    assert disk.content(SUPERSEDED) == early("x") + early("a")


@pytest.mark.parametrize("room", [0, 1, 100, len(early("a")), len(early("a")) + 100])
async def test_a_full_disk_leaves_no_partial_answer(room: int) -> None:
    content = early("a") + early("b")
    disk = held(content, superseded=early("x"))
    log = ResultLog.open(PATH, files=disk)
    await log.write([succeeded("a", "late"), succeeded("b", "late")])
    disk.capacity = disk.used() + room
    with pytest.raises(OutputWriteError, match="No space left on device"):
        await log.finish(keep=True)
    log.close()
    assert disk.content(SUPERSEDED) == early("x")
    disk.capacity = None
    await supersede(disk, "")
    assert disk.content(SUPERSEDED) == early("x") + early("a") + early("b")


@pytest.mark.parametrize(
    ("found", "left"),
    [
        pytest.param(b"", b"", id="empty"),
        pytest.param(early("x")[:-1], early("x"), id="a whole line without its end"),
        pytest.param(early("x") + early("a")[:50], early("x"), id="partial"),
        pytest.param(early("a")[:50], b"", id="only a partial line"),
        pytest.param(early("x") + early("a"), early("x") + early("a"), id="moved already"),
        pytest.param(early("a")[:-1], early("a"), id="moved already, but for the line end"),
        pytest.param(
            early("x") + early("a") + early("y") * 200, early("x") + early("a") + early("y") * 200, id="long"
        ),
    ],
)
async def test_the_end_of_the_file_is_repaired(found: bytes, left: bytes) -> None:
    disk = held(early("a") + late("a"), superseded=found)
    await supersede(disk, "")
    moved = b"" if early("a") in left and len(left) < 5000 else early("a")
    assert disk.content(SUPERSEDED) == left + moved


async def test_a_long_answer_is_found_at_the_end_of_the_file() -> None:
    long = encode_result(succeeded("a", "x" * 300_000))
    for found, left in [(long, long), (long[:-1], long), (long[:-9], long), (long * 3 + long[:9], long * 3)]:
        disk = held(long + late("a"), superseded=early("x") + found)
        await supersede(disk, "")
        assert disk.content(SUPERSEDED) == early("x") + left


# Files of others


async def test_a_file_of_another_program_is_not_changed() -> None:
    disk = held(early("a"), superseded=b"shopping list\n")
    with pytest.raises(ForeignOutputError, match="its first line is not a result"):
        check_superseded(disk, PATH)
    with pytest.raises(OutputWriteError, match=r"superseded\.jsonl was not written by promptjobs"):
        await supersede(disk, "a")
    assert disk.content(SUPERSEDED) == b"shopping list\n"
    assert disk.content(PATH) == early("a") + late("a")


@pytest.mark.parametrize("has_target", [True, False])
async def test_a_link_is_not_followed(has_target: bool, tmp_path: Path) -> None:
    path, target = tmp_path / "results.jsonl", tmp_path / "elsewhere" / "profile"
    target.parent.mkdir()
    if has_target:
        target.write_bytes(early("x"))
    path.write_bytes(early("a"))
    path.with_name("results.jsonl.superseded.jsonl").symlink_to(target)
    with ResultLog.open(path) as log:
        await log.write([succeeded("a", "late")])
        with pytest.raises(OutputWriteError, match="is a symbolic link"):
            await log.finish(keep=True)
    assert path.read_bytes() == early("a") + late("a")
    assert target.exists() is has_target
    assert not has_target or target.read_bytes() == early("x")


@pytest.mark.parametrize("name", ["results.jsonl.corrupt", "results.jsonl.log"])
async def test_no_sidecar_is_written_through_a_link(name: str, tmp_path: Path) -> None:
    path, target = tmp_path / "results.jsonl", tmp_path / "profile"
    told: list[str] = []
    path.write_bytes(early("a") + b"damaged\n" + early("b"))
    path.with_name(name).symlink_to(target)
    if name.endswith("corrupt"):
        with pytest.raises(OutputWriteError, match="is a symbolic link"):
            ResultLog.open(path)
    else:
        with EventLog(path, wall=lambda: datetime.now(UTC), on_trouble=told.append) as events:
            events.write("open", "hello")
        assert told == [
            f"{path}.log cannot be written; later events are not logged: {name} is a symbolic link"
        ]
    assert not target.exists()


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    os.mkfifo(path.with_name("results.jsonl.superseded.jsonl"))
    with pytest.raises(ForeignOutputError, match="not a regular file"):
        set_aside(Disk(), path, [early("a")])


# Permissions


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
async def test_sidecars_have_the_mode_of_the_output(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(early("a") + b"damaged\n" + early("b"))
    path.chmod(mode)
    corrupt, superseded = (tmp_path / f"results.jsonl{end}" for end in (".corrupt", ".superseded.jsonl"))
    superseded.write_bytes(early("x"))
    superseded.chmod(0o604)
    with ResultLog.open(path) as log:
        await log.write([succeeded("a", "late")])
        await log.finish(keep=True)
    assert {name.stat().st_mode & 0o777 for name in (path, corrupt, superseded)} == {mode}


def test_a_file_with_several_names_keeps_its_mode(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "results.jsonl", tmp_path / "elsewhere"
    path.write_bytes(early("a"))
    path.chmod(0o600)
    elsewhere.write_bytes(b"{}")
    elsewhere.chmod(0o644)
    os.link(elsewhere, tmp_path / "results.jsonl.job.json")
    (tmp_path / "results.jsonl.log").write_bytes(b"")
    match_sidecars(path)
    assert elsewhere.stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "results.jsonl.log").stat().st_mode & 0o777 == 0o600


def test_a_set_of_lines_holds_what_was_added() -> None:
    digests = Digests()
    lines = [early(str(number)) for number in range(3000)]
    for line in lines[::2]:
        digests.add(line)
        digests.add(line)
    assert [line in digests for line in lines] == [True, False] * 1500
