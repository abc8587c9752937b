"""The requests of a job's shards: each request in one of them, and a group in one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace as replaced

from batch.codec import encode_result
from batch.errors import JobFileError
from batch.inputs import check
from batch.inputs.source import JobSource
from batch.jobfile import load
from batch.jobfile.shard import Shard
from tests.support.jobfile_support import HEAD, write
from tests.support.results_support import succeeded

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [{"id": f"row-{number}", "word": f"w{number}"} for number in range(40)]


def shards(path: Path, count: int) -> list[list[str]]:
    """The ids of the requests of each shard."""
    job = load(path)
    sources = (JobSource(replace(job, shard=Shard(number, count)), {}) for number in range(1, count + 1))
    return [[request.id for request in source.requests()] for source in sources]


def whole(path: Path) -> list[str]:
    """The ids of the requests of the job."""
    return [request.id for request in JobSource(load(path), {}).requests()]


def write_rows(folder: Path, rows: list[dict[str, str]], more: str = "", prompt: str = "{{ word }}") -> Path:
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return write(folder, f"{HEAD}prompt: {json.dumps(prompt)}\ninputs: {{jsonl: rows.jsonl}}\n{more}")


@pytest.mark.parametrize("more", ["", "samples: 3", "matrix: {tone: [dry, warm]}\nsamples: 2"])
@pytest.mark.parametrize("count", [1, 2, 5, 60])
def test_each_request_is_in_one_shard(tmp_path: Path, count: int, more: str) -> None:
    path = write_rows(tmp_path, ROWS, more)
    found = shards(path, count)
    assert sorted(each for part in found for each in part) == sorted(whole(path))
    for number, part in enumerate(found, 1):
        assert all(Shard(number, count).takes(request_id) for request_id in part)


def test_the_order_of_a_shard_is_that_of_the_job(tmp_path: Path) -> None:
    path = write_rows(tmp_path, ROWS)
    first, second = shards(path, 2)
    assert [each for each in whole(path) if each in set(first)] == first
    assert [each for each in whole(path) if each in set(second)] == second


def test_equal_rows_without_ids_are_divided_too(tmp_path: Path) -> None:
    path = write_rows(tmp_path, [{"word": "same"}] * 9)
    found = shards(path, 2)
    assert sorted(found[0] + found[1]) == sorted(whole(path))
    assert all(found)


def test_the_samples_of_a_group_stay_in_one_shard(tmp_path: Path) -> None:
    chunks = [
        replaced(succeeded(f"{name}/{number}"), metadata={"path": name, "chunk": number, "chunks": 2})
        for name in "abcdefgh"
        for number in (1, 2)
    ]
    (tmp_path / "map.jsonl").write_bytes(b"".join(map(encode_result, chunks)))
    inputs = "inputs: {results: map.jsonl, group_by: path}\nsamples: 4\n"
    path = write(tmp_path, f"{HEAD}prompt: '{{{{ path }}}}: {{{{ items }}}}'\n{inputs}")
    found = shards(path, 3)
    assert sorted(each for part in found for each in part) == sorted(whole(path))
    groups = [{request_id.partition("/")[0] for request_id in part} for part in found]
    assert groups == [{"c", "f"}, {"g", "h"}, {"a", "b", "d", "e"}]
    assert [len(part) for part in found] == [8, 8, 16]


def test_a_shard_opens_only_its_own_documents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("A text.", encoding="utf-8")
    (tmp_path / "b").write_text("A text.", encoding="utf-8")
    (tmp_path / "doc.txt").write_text("", encoding="utf-8")  # an error in shard 1/3, whose it is
    path = write(tmp_path, f"{HEAD}prompt: '{{{{ text }}}}'\ninputs: {{files: [a, b, doc.txt]}}\n")
    job = load(path)
    assert check(JobSource(replace(job, shard=Shard(3, 3)), {})).total == 2
    assert check(JobSource(replace(job, shard=Shard(2, 3)), {})).total == 0
    with pytest.raises(JobFileError, match=r"doc\.txt"):
        check(JobSource(replace(job, shard=Shard(1, 3)), {}))


def test_every_shard_reports_the_errors_of_all_rows(tmp_path: Path) -> None:
    path = write_rows(tmp_path, [*ROWS, {"id": "bad"}])
    for number in (1, 2):
        with pytest.raises(
            JobFileError, match=r"job\.yaml:4:13: prompt: no variable `word`.*, first in rows\.jsonl:41"
        ):
            check(JobSource(replace(load(path), shard=Shard(number, 2)), {}))


def test_a_row_that_is_skipped_is_recorded_by_one_shard(tmp_path: Path) -> None:
    path = write_rows(tmp_path, [*ROWS, {"id": "bad"}])
    path.write_text(path.read_text().replace("rows.jsonl}", "rows.jsonl, on_bad_row: skip}"))
    found = shards(path, 3)
    assert sorted(each for part in found for each in part) == sorted(whole(path))
    assert ["bad" in part for part in found].count(True) == 1


def test_outputs_of_shards_are_never_inputs(tmp_path: Path) -> None:
    for name in ("a.txt", "output/t.jsonl", "output/t.1-of-2.jsonl", "output/t.1-of-2.jsonl.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text", encoding="utf-8")
    head = f"name: t\n{HEAD}"
    path = write(tmp_path, f"{head}prompt: '{{{{ text }}}}'\ninputs: {{files: ['**/*.txt', 'output/*']}}\n")
    assert whole(path) == ["a.txt"]
