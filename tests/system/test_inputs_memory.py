"""A job of any length is read as a stream, in constant memory."""

from __future__ import annotations

import tracemalloc
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from batch.inputs import check
from batch.inputs.identity import Ordinals
from tests.support.inputs_support import source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from batch.inputs import JobSource

SOMEWHERE = {"provider": "openai", "base_url": "http://h/v1", "model": "m"}
ROWS = 200_000


def _job(folder: Path, rows: int) -> JobSource:
    path = folder / "rows.jsonl"
    with path.open("w") as file:
        file.writelines(f'{{"id": "row-{n}", "prompt": "Question number {n}?"}}\n' for n in range(rows))
    return source(path, SOMEWHERE)


@pytest.fixture(scope="module")
def long_job(tmp_path_factory: pytest.TempPathFactory) -> JobSource:
    return _job(tmp_path_factory.mktemp("long"), ROWS)


@contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """The most memory, in bytes, that was allocated inside the block and not given back at that moment."""
    peak = 0
    tracemalloc.start()
    try:
        yield lambda: peak
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_streaming_needs_no_memory_for_past_rows(long_job: JobSource) -> None:
    stream = long_job.requests()
    assert len(list(islice(stream, 1000))) == 1000
    with traced() as peak:
        passed = sum(1 for _ in islice(stream, 50_000))
    assert passed == 50_000
    assert peak() < 2**18
    assert sum(1 for _ in stream) == ROWS - 51_000


def test_the_check_stores_less_than_a_hundred_bytes_per_row(tmp_path: Path) -> None:
    job = _job(tmp_path, ROWS // 2)
    with traced() as peak:
        plan = check(job)
    assert plan.total == ROWS // 2
    assert peak() / plan.total < 100


def test_rows_without_ids_need_less_than_a_hundred_bytes_each() -> None:
    ordinals = Ordinals()
    with traced() as peak:
        length = sum(len(ordinals.name(f"{n:032x}"[::-1])) for n in range(ROWS))
    assert length == 32 * ROWS
    assert peak() / ROWS < 100
