"""Lives of a result log on a disk with all kinds of faults: durable results survive every one.

Some here; for a campaign: ``PROMPTJOBS_DISK_CASES=20000 python -m pytest tests/system/test_disk_faults.py``.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch.codec import decode_result, encode_result
from batch.errors import OutputWriteError
from batch.results.filesystem import temporary_name
from batch.results.result_log import ResultLog
from tests.support.results_support import failed, succeeded
from tests.support.simulated_disk import FATES, PowerCutError, SimulatedDisk

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.records import Result
    from tests.support.simulated_disk import Fate

PATH = Path("/results.jsonl")
CORRUPT = Path("/results.jsonl.corrupt")
SUPERSEDED = Path("/results.jsonl.superseded.jsonl")
NAMES = "abcdef"
GONE = "no line"
NONSENSE = b"\0\0\0\n"
ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EINTR, errno.EROFS)
OPERATIONS = ("open", "create", "write", "sync", "truncate", "replace", "sync_directory")

CASES = settings(
    max_examples=int(os.environ.get("PROMPTJOBS_DISK_CASES", "200")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Life:
    """One life: what a run writes, what the disk does, and how the run ends.

    Operations of the disk count from the beginning of this life. ``job`` are the ids that a finished output
    is put in order by.
    """

    batches: list[str]
    job: list[str]
    order: Literal["completion", "input"]
    prune: bool
    keep: bool
    trouble: Literal["none", "killed", "power", "one error", "errors", "full"]
    at: int
    error: int
    operation: str
    longest_write: int | None
    end: Literal["finish", "close", "death", "power"]


lives = st.builds(
    Life,
    batches=st.lists(st.text(NAMES, min_size=1, max_size=4), max_size=4),
    job=st.permutations(NAMES).flatmap(lambda names: st.integers(0, 6).map(lambda most: names[:most])),
    order=st.sampled_from(["completion", "input"]),
    prune=st.booleans(),
    keep=st.booleans(),
    trouble=st.sampled_from(["none", "killed", "power", "one error", "errors", "full"]),
    at=st.integers(1, 45),
    error=st.sampled_from(ERRORS),
    operation=st.sampled_from(OPERATIONS),
    longest_write=st.none() | st.integers(1, 700),
    end=st.sampled_from(["finish", "close", "death", "power"]),
)

earlier_files = st.lists(
    st.sampled_from([*(encode_result(succeeded(name, "version 0")) for name in "abz"), NONSENSE]),
    max_size=4,
).map(lambda lines: b"".join([encode_result(failed("a")), *lines]) if lines else b"") | st.just(b"")


class Promises:
    """The acknowledged results by id: the durable version, and later attempted versions."""

    def __init__(self) -> None:
        self._version = 0
        self._durable: dict[str, str] = {}
        self._tried: dict[str, set[str]] = {}
        self._answers: set[tuple[str, str]] = set()

    def attempt(self, names: str) -> list[Result]:
        """Results to write, each in a version of its own."""
        results = []
        for name in names:
            self._version += 1
            text = f"version {self._version}"
            self._tried.setdefault(name, set()).add(text)
            results.append(succeeded(name, text))
        return results

    def kept(self, results: list[Result]) -> None:
        """They have been written, so that the last of each id is what counts."""
        for result in results:
            self._durable[result.id] = result.text or ""
            self._answers.add((result.id, result.text or ""))
        for result in results:
            self._tried.pop(result.id, None)

    def superseded_may_go(self) -> None:
        """From now on nothing is said of the answers that have been there so far."""
        self._answers.clear()

    def pruning(self, job: list[str]) -> None:
        """Lines of other ids may go from now on."""
        for name in {*self._durable, *self._tried} - set(job):
            self._tried.setdefault(name, set()).add(GONE)

    def pruned(self, job: list[str]) -> None:
        """They have gone."""
        self._durable = {name: text for name, text in self._durable.items() if name in job}
        self._tried = {name: texts for name, texts in self._tried.items() if name in job}

    def check(self, results: list[Result], superseded: list[Result]) -> None:
        """Each id has the version that was called durable, or one tried since; from now on it is that one.

        Each answer that was durable is in the output or among the superseded ones.
        """
        assert self._answers <= {(result.id, result.text or "") for result in results + superseded}
        self._answers |= {(result.id, result.text or "") for result in results if result.error is None}
        found = {result.id: result.text or "" for result in results}
        for name, text in self._durable.items():
            assert found.get(name, GONE) in {text, *self._tried.get(name, ())}, name
        self._durable, self._tried = found, {}


def results_on(disk: SimulatedDisk) -> list[Result]:
    """All lines of the file; fails where one is not a result."""
    if PATH.name not in disk.names():
        return []
    return [decode_result(line) for line in disk.content(PATH).splitlines(keepends=True)]


def superseded_on(disk: SimulatedDisk) -> list[Result]:
    """The whole lines of the superseded file; a power cut can damage the end of it."""
    content = disk.content(SUPERSEDED) if SUPERSEDED.name in disk.names() else b""
    found = []
    for line in content.splitlines(keepends=True):
        with suppress(ValueError):
            found.append(decode_result(line))
    return found


def prepare(disk: SimulatedDisk, life: Life) -> None:
    """Configure the disk for this life."""
    disk.error_at, disk.errors, disk.capacity = {}, {}, None
    disk.longest_write = life.longest_write
    if life.trouble in ("killed", "power"):
        disk.power_fails_at = disk.operations + life.at
    elif life.trouble == "one error":
        disk.error_at = {disk.operations + life.at: life.error}
    elif life.trouble == "errors":
        disk.errors = {life.operation: life.error}
    elif life.trouble == "full":
        disk.capacity = disk.used() + 40 * life.at


async def live(disk: SimulatedDisk, life: Life, promises: Promises) -> None:
    """One run, from opening the log to the end of this life."""
    log = ResultLog.open(PATH, files=disk)
    promises.check(results_on(disk), superseded_on(disk))
    for batch in life.batches:
        results = promises.attempt(batch)
        await write(disk, log, life, results)
        promises.kept(results)
    if life.end == "finish":
        await finish(disk, log, life, promises)
    elif life.end == "close":
        log.close()


async def write(disk: SimulatedDisk, log: ResultLog, life: Life, results: list[Result]) -> None:
    """Append results; where that fails, a file that was there is as it was, if the disk can cut at all."""
    before = disk.content(PATH) if PATH.name in disk.names() else b""
    can_cut = (life.trouble, life.operation) != ("errors", "truncate")
    try:
        await log.write(results)
    except OutputWriteError:
        assert not before or not can_cut or disk.content(PATH) == before, "cut back"
        assert temporary_name(PATH).name not in disk.names(), "nothing is left lying about"
        raise


async def finish(disk: SimulatedDisk, log: ResultLog, life: Life, promises: Promises) -> None:
    """Put the output in order, and look at what has come of it."""
    before = [result.id for result in results_on(disk)]
    if life.prune:
        promises.pruning(life.job)
    if life.prune or not life.keep:
        promises.superseded_may_go()
    await log.finish(life.job, order=life.order, prune=life.prune, keep=life.keep)
    if life.prune:
        promises.pruned(life.job)
    after = [result.id for result in results_on(disk)]
    assert sorted(after) == sorted(set(before) & set(life.job) if life.prune else set(before))
    if life.order == "input":
        of_the_job = [name for name in life.job if name in before]
        assert after[: len(of_the_job)] == of_the_job


async def live_all(disk: SimulatedDisk, all_lives: list[Life], fate: Callable[[], Fate]) -> None:
    promises = Promises()
    for life in all_lives:
        prepare(disk, life)
        dark = life.end == "power"
        try:
            await live(disk, life, promises)
        except OutputWriteError:
            pass
        except PowerCutError:
            dark = life.trouble == "power"
        disk.power_fails_at = None
        if dark:
            disk.restart(fate)
        else:
            disk.forget_process()
    disk.error_at, disk.errors, disk.capacity, disk.longest_write = {}, {}, None, None
    log = ResultLog.open(PATH, files=disk)
    promises.check(results_on(disk), superseded_on(disk))
    await log.write([succeeded(name) for name in NAMES if not log.known(name)])
    await log.finish()
    found = Counter(result.id for result in results_on(disk))
    assert set(found) >= set(NAMES)
    assert set(found.values()) == {1}
    assert disk.names() <= {PATH.name, CORRUPT.name, SUPERSEDED.name}


@pytest.mark.slow
@CASES
@given(start=earlier_files, all_lives=st.lists(lives, min_size=1, max_size=5), data=st.data())
def test_acknowledged_results_survive_any_disk_fault(
    start: bytes, all_lives: list[Life], data: st.DataObject
) -> None:
    disk = SimulatedDisk()
    if start:
        disk.put(PATH, start)
    anyio.run(live_all, disk, all_lives, lambda: data.draw(st.sampled_from(FATES)))
