"""The order of a finished file and its pruning; nothing is rewritten without need."""

from __future__ import annotations

import tracemalloc
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio
import anyio.from_thread
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.codec import encode_result
from batch.errors import OutputWriteError
from batch.results.result_log import ResultLog
from tests.support.results_support import succeeded
from tests.support.simulated_disk import Fate, PowerCutError, SimulatedDisk

if TYPE_CHECKING:
    from collections.abc import Iterator

Order = Literal["completion", "input"]

PATH = Path("/results.jsonl")

pytestmark = pytest.mark.anyio


def content(lines: str) -> bytes:
    """Lines as letters: ``ab`` is a line of ``a`` and one of ``b``; each says where it was written."""
    return b"".join(encode_result(succeeded(name, f"{place}")) for place, name in enumerate(lines))


def held(lines: str) -> SimulatedDisk:
    disk = SimulatedDisk()
    disk.put(PATH, content(lines))
    return disk


def latest(lines: str, wanted: str) -> bytes:
    """Of each wanted id its latest line."""
    return b"".join(encode_result(succeeded(name, str(lines.rindex(name)))) for name in wanted)


async def finish(disk: SimulatedDisk, job: str, *, order: Order, prune: bool) -> None:
    with ResultLog.open(PATH, files=disk) as log:
        await log.finish(iter(job), order=order, prune=prune)


@pytest.mark.parametrize(
    ("order", "prune", "lines", "job", "left"),
    [
        ("completion", False, "cab", "abc", "cab"),
        ("completion", False, "caxbc", "abc", "axbc"),
        ("completion", True, "caxb", "abc", "cab"),
        ("completion", True, "cabxcy", "abcd", "abc"),
        ("completion", True, "xy", "ab", ""),
        ("input", False, "cab", "abc", "abc"),
        ("input", False, "cxaby", "abcd", "abcxy"),
        ("input", False, "xab", "ab", "abx"),
        ("input", True, "cxaby", "abcd", "abc"),
        ("input", True, "xy", "", ""),
        ("input", False, "abc", "abcabc", "abc"),
    ],
)
async def test_the_lines_that_are_left(order: Order, prune: bool, lines: str, job: str, left: str) -> None:
    disk = held(lines)
    await finish(disk, job, order=order, prune=prune)
    assert disk.content(PATH) == latest(lines, left)
    assert disk.names() == {PATH.name}


@pytest.mark.parametrize("prune", [False, True])
@pytest.mark.parametrize("order", ["completion", "input"])
async def test_a_file_in_the_requested_state_is_not_rewritten(
    order: Order, prune: bool, tmp_path: Path
) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(content("abd"))
    inode = path.stat().st_ino
    with ResultLog.open(path) as log:
        await log.finish(iter("abcd"), order=order, prune=prune)
    assert path.stat().st_ino == inode


async def test_the_job_is_only_read_if_it_is_needed() -> None:
    disk, job = held("aba"), iter("ab")
    with ResultLog.open(PATH, files=disk) as log:
        await log.finish(job)
    assert list(job) == ["a", "b"]
    assert disk.content(PATH) == latest("aba", "ba")


async def test_a_job_that_cannot_be_read_leaves_the_log_open_for_another_try() -> None:
    def failing() -> Iterator[str]:
        yield "b"
        raise LookupError

    disk = held("xaba")
    with ResultLog.open(PATH, files=disk) as log:
        with pytest.raises(LookupError):
            await log.finish(failing(), order="input", prune=True)
        assert disk.content(PATH) == content("xaba")
        await log.finish()
    assert disk.content(PATH) == latest("xaba", "xba")


async def test_a_rewriting_that_is_cancelled_leaves_the_file_as_it_was() -> None:
    class Cancelling(SimulatedDisk):
        def create(self, path: Path, *, like: Path) -> int:
            anyio.from_thread.run_sync(scope.cancel)
            return super().create(path, like=like)

    disk = Cancelling()
    disk.put(PATH, content("xaba"))
    with ResultLog.open(PATH, files=disk) as log, anyio.CancelScope() as scope:
        await log.finish()
    assert scope.cancelled_caught
    assert disk.content(PATH) == content("xaba")
    assert disk.names() == {PATH.name}


async def test_another_programs_change_to_the_file_is_never_copied_into_a_new_one() -> None:
    disk = held("cab")
    with ResultLog.open(PATH, files=disk) as log:
        disk.put(PATH, content("c")[:-3])
        with pytest.raises(OutputWriteError, match="moved or removed"):
            await log.finish(iter("abc"), order="input")
    assert disk.content(PATH) == content("c")[:-3]
    assert disk.names() == {PATH.name}


letters = st.text("abcdefxyz", max_size=12)


@given(lines=letters, job=st.permutations("abcdef"), order=st.sampled_from(["completion", "input"]))
def test_each_id_is_left_with_its_latest_line(lines: str, job: list[str], order: Order) -> None:
    for prune in (False, True):
        disk = held(lines)
        anyio.run(partial(finish, disk, "".join(job), order=order, prune=prune))
        orphans = [] if prune else [name for name in "xyz" if name in lines]
        present = [name for name in job if name in lines]
        by_completion = sorted([*present, *orphans], key=lines.rindex)
        by_input = present + sorted(orphans, key=lines.rindex)
        wanted = by_completion if order == "completion" else by_input
        assert disk.content(PATH) == latest(lines, "".join(wanted))


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_power_failure_leaves_the_old_file_or_the_new(data: st.DataObject) -> None:
    lines, job = "cxabya", "abc"
    whole = held(lines)
    anyio.run(lambda: finish(whole, job, order="input", prune=True))
    disk = held(lines)
    disk.power_fails_at = data.draw(st.integers(1, whole.operations))
    with pytest.raises(PowerCutError):
        anyio.run(lambda: finish(disk, job, order="input", prune=True))
    fates = st.sampled_from(list[Fate](["lost", "kept", "half", "zeros"]))
    disk.restart(lambda: data.draw(fates))
    assert disk.content(PATH) in (content(lines), latest(lines, "abc"))


async def test_order_takes_less_than_a_hundred_bytes_a_line(tmp_path: Path) -> None:
    lines, path = 10_000, tmp_path / "results.jsonl"
    names = [f"documents/{number}.txt" for number in range(lines)]
    path.write_bytes(b"".join(encode_result(succeeded(name)) for name in reversed(names)))
    tracemalloc.start()
    try:
        with ResultLog.open(path) as log:
            await log.finish(iter(names), order="input", prune=True)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    buffers = 600_000
    assert (most - buffers) / lines <= 100
    assert path.read_bytes() == b"".join(encode_result(succeeded(name)) for name in names)
