"""Ids that are composed of parts: two questions never share one, whatever their parts hold."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import batch
from batch.inputs import check
from batch.inputs.composed_ids import Composed
from batch.testing import FaultServer, Received, answer
from tests.support.inputs_support import by_id, source
from tests.support.jobfile_support import diagnostics_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch.inputs import JobSource
    from batch.testing import Script

pytestmark = pytest.mark.anyio

ENDPOINT = {"provider": "openai", "base_url": "http://h/v1"}
PROMPTS = [{"id": "c", "prompt": "c {{ text }}"}, {"id": "b/c", "prompt": "b/c {{ text }}"}]


def _job(folder: Path, rows: Sequence[str] | str, **says: Any) -> Path:
    """A job over rows with these ids, or over a CSV file with this text."""
    if isinstance(rows, str):
        (folder / "rows.csv").write_text(rows)
        inputs = {"csv": "rows.csv"}
    else:
        lines = [json.dumps({"id": name, "text": f"of {name}"}) + "\n" for name in rows]
        (folder / "rows.jsonl").write_text("".join(lines))
        inputs = {"jsonl": "rows.jsonl"}
    job = {**ENDPOINT, "model": "m", "prompt": "{{ text }}", **says}
    job["inputs"] = {**inputs, **says.get("inputs", {})}
    path = folder / "job.yaml"
    path.write_text(json.dumps({key: value for key, value in job.items() if value is not None}))
    return path


def _lines(folder: Path, *lines: dict[str, Any]) -> JobSource:
    path = folder / "job.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return source(path, {**ENDPOINT, "models": ["m", "org/m"]})


def _asked(requests: JobSource) -> dict[str, tuple[str, str]]:
    return {
        name: (request.target, request.messages[-1]["content"]) for name, request in by_id(requests).items()
    }


@pytest.mark.parametrize("order", [["a", "a/b"], ["a/b", "a"]])
def test_a_row_and_a_prompt_that_read_like_another_row_and_prompt(tmp_path: Path, order: list[str]) -> None:
    requests = source(_job(tmp_path, order, prompt=None, prompts=PROMPTS))
    assert check(requests).total == 4
    asked = {name: text for name, (_, text) in _asked(requests).items()}
    (mark,) = asked.keys() - {"a/c", "a/b/c", "a/b/b/c"}
    assert mark.startswith("a/b/c~")
    assert asked == {"a/c": "c of a", mark: "b/c of a", "a/b/c": "c of a/b", "a/b/b/c": "b/c of a/b"}


def test_a_mark_is_the_same_wherever_its_row_stands(tmp_path: Path) -> None:
    rows = ["a", "a/b", "x", "a/b/b", "y"]
    first = _asked(source(_job(tmp_path, rows, prompt=None, prompts=PROMPTS)))
    for seed in range(5):
        random.Random(seed).shuffle(rows)
        assert _asked(source(_job(tmp_path, rows, prompt=None, prompts=PROMPTS))) == first


@pytest.mark.parametrize(
    ("rows", "says", "count"),
    [
        (["a", "a/org"], {"model": None, "models": ["m", "org/m"]}, 4),
        (["a", "a/1"], {"prompt": "{{ v }}", "matrix": {"v": ["1", "1/1"]}}, 4),
        (["a", "a/b"], {"prompt": None, "prompts": PROMPTS, "samples": 2}, 8),
        (["a", "a/x"], {"prompt": "{{ v or '' }}", "matrix": {"include": [{"v": "y"}, {"v": "x/y"}]}}, 4),
        (["a"], {"prompt": "{{ v }}", "matrix": {"v": ["1", 1]}}, 2),
        (["a"], {"prompt": "{{ v }}", "matrix": {"v": ["true", True]}}, 2),
        (
            ["a", "b"],
            {"prompt": None, "prompts": PROMPTS, "model": None, "models": ["d", "c/d", "b/c/d"]},
            12,
        ),
        (["a", "a/b", "a/b/b"], {"prompt": None, "prompts": PROMPTS, "matrix": {"text2": ["c", "b/c"]}}, 12),
    ],
)
def test_all_are_asked_under_names_of_their_own(
    tmp_path: Path, rows: list[str], says: dict[str, Any], count: int
) -> None:
    requests = source(_job(tmp_path, rows, **says))
    assert check(requests).total == len(by_id(requests)) == count
    for skips in (requests, source(_job(tmp_path, rows, **says, inputs={"on_bad_row": "skip"}))):
        assert by_id(skips).keys() == by_id(requests).keys()


def test_without_inputs_too(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    prompts = [{"id": "a", "prompt": "x"}, {"id": "a/b", "prompt": "y"}]
    path.write_text(json.dumps({**ENDPOINT, "models": ["c", "b/c"], "prompts": prompts}))
    asked = _asked(source(path))
    assert sorted(asked.values()) == [("b/c", "x"), ("b/c", "y"), ("c", "x"), ("c", "y")]
    assert sum("~" in name for name in asked) == 1


def test_a_row_of_a_jsonl_job_that_is_named_like_another_rows_question(tmp_path: Path) -> None:
    requests = _lines(
        tmp_path,
        {"id": "a", "prompt": "x"},
        {"id": "a/m", "prompt": "y", "model": "m"},
        {"id": "a/org", "prompt": "z"},
    )
    asked = _asked(requests)
    assert check(requests).total == 5
    assert asked["a/m"] == ("m", "y"), "the row's own id stays"
    assert asked["a/org/m"] == ("m", "z")
    assert sorted(asked.values()) == [("m", "x"), ("m", "y"), ("m", "z"), ("org/m", "x"), ("org/m", "z")]


def test_what_does_not_collide_keeps_its_name(tmp_path: Path) -> None:
    requests = _lines(tmp_path, {"id": "a", "prompt": "x"}, {"id": "a/m", "prompt": "y"})
    assert list(by_id(requests)) == ["a/m", "a/org/m", "a/m/m", "a/m/org/m"]


def test_a_row_that_comes_twice_is_still_an_error(tmp_path: Path) -> None:
    said = diagnostics_of(
        lambda: check(source(_job(tmp_path, ["a", "a/b", "a"], prompt=None, prompts=PROMPTS)))
    )
    assert len(said) == 2
    assert all("ids must be unique" in each for each in said)


PARTS = st.lists(st.sampled_from(["a", "b", "1"]), min_size=1, max_size=3).map("/".join)


@given(
    rows=st.sets(PARTS, min_size=1, max_size=6),
    suffixes=st.sets(st.lists(PARTS, max_size=3).map(tuple), min_size=1, max_size=6),
    samples=st.integers(1, 2),
)
def test_names_are_unique_and_stay_where_they_do_not_collide(
    rows: set[str], suffixes: set[tuple[str, ...]], samples: int
) -> None:
    composed = Composed(lambda: suffixes, samples, lambda: [(row, None) for row in rows])
    asked = [(row, suffix, sample) for row in rows for suffix in suffixes for sample in range(1, samples + 1)]
    names = [composed.name(*each) for each in asked]
    assert len(set(names)) == len(names)
    plain = ["/".join([r, *s] + ([str(n)] if samples > 1 else [])) for r, s, n in asked]
    for name, text in zip(names, plain, strict=True):
        assert name == text or plain.count(text) > 1
    assert set(plain) <= set(names), "one of those that collide keeps the name"


# Bad rows that are skipped.

SKIP = {"on_bad_row": "skip"}


@pytest.mark.parametrize(
    "table",
    [
        "id,text\nrows.csv:3,good\nbad\nz,other\n",
        "id,text\nz,other\nbad\nrows.csv:3,good\n",
        "id,text\nz,other\nbad\nrows.csv:3,good\nbad\nrows.csv:5,more\n",
    ],
)
def test_the_place_of_a_bad_row_that_is_also_the_id_of_a_row(tmp_path: Path, table: str) -> None:
    requests = by_id(source(_job(tmp_path, table, inputs=SKIP)))
    assert requests["rows.csv:3"].messages[0]["content"] == "good"
    bad = [name for name, request in requests.items() if not request.target]
    assert bad[0].startswith("rows.csv:3~")
    assert len(requests) == table.count("\n") - 1


def test_a_bad_row_keeps_the_name_of_its_place_where_that_is_free(tmp_path: Path) -> None:
    table = "id,text\nrows.csv:4,good\nbad\nother.csv:3,x\n"
    assert list(by_id(source(_job(tmp_path, table, inputs=SKIP)))) == [
        "rows.csv:4",
        "rows.csv:3",
        "other.csv:3",
    ]


def test_a_row_that_one_prompt_cannot_take_and_another_rows_question(tmp_path: Path) -> None:
    prompts = [{"id": "c", "prompt": "{{ 1 // (n | int) }}"}, {"id": "b/c", "prompt": "{{ 2 // (n | int) }}"}]
    for table in ("id,n\na,0\na/b,1\n", "id,n\na,1\na/b,0\n", "id,n\na/b,0\na,0\n"):
        for models in (["m"], ["m", "c/m", "c"]):
            says = {"prompt": None, "prompts": prompts, "model": None, "models": models, "inputs": SKIP}
            assert by_id(source(_job(tmp_path, table, **says)))


def test_a_row_named_like_a_question_of_another_model(tmp_path: Path) -> None:
    says = {"prompt": "{{ 1 // (n | int) }}", "model": None, "models": ["m1", "m2"], "inputs": SKIP}
    requests = by_id(source(_job(tmp_path, "id,n\nx,1\nx/m1,0\n", **says)))
    assert [request.target for request in requests.values()] == ["m1", "m2", ""]
    assert list(requests)[:2] == ["x/m1", "x/m2"]


def test_the_chunks_of_a_row_that_comes_twice(tmp_path: Path) -> None:
    text = "Some words. " * 40
    table = f"id,text\na,{text}\na,{text}\n"
    requests = by_id(source(_job(tmp_path, table, inputs={**SKIP, "split": {"tokens": 40}})))
    bad = [name for name, request in requests.items() if not request.target]
    assert bad[:3] == ["rows.csv:3", "rows.csv:3~2", "rows.csv:3~3"]


def test_documents_of_the_same_name_of_which_one_is_bad(tmp_path: Path) -> None:
    for folder, data in (("one", b"fine"), ("two", b"\x00\xff"), ("three", b"fine")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.txt").write_bytes(data)
    for patterns in (["one/*", "two/*"], ["two/*", "one/*"], ["one/*", "two/*", "three/*"]):
        path = tmp_path / "job.yaml"
        job = {**ENDPOINT, "model": "m", "prompt": "{{ text }}", "inputs": {"files": patterns, **SKIP}}
        path.write_text(json.dumps(job))
        assert len(by_id(source(path))) == len(patterns)


@pytest.mark.parametrize("on_bad_row", ["stop", "skip"])
async def test_both_of_two_that_collide_are_answered_once(tmp_path: Path, on_bad_row: str) -> None:
    asked: list[str] = []

    def script(request: Received) -> Script:
        asked.append(request.messages[-1]["content"])
        return answer(asked[-1])

    async with FaultServer(script) as server:
        says = {"prompt": None, "prompts": PROMPTS, "base_url": f"{server.url}/v1"}
        for rows in (["a", "a/b"], ["a/b", "a"]):
            path = _job(tmp_path, rows, **says, inputs={"on_bad_row": on_bad_row})
            summary = await batch.arun(path)
            assert (summary.exit_code, summary.total, summary.succeeded) == (0, 4, 4)
        text = (tmp_path / "output" / "job.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert sorted(asked) == sorted(["c of a", "b/c of a", "c of a/b", "b/c of a/b"])
    expected = {name: content for name, (_, content) in _asked(source(path)).items()}
    assert {line["id"]: line["text"] for line in lines} == expected
