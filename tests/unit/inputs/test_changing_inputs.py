"""Inputs that change while a run goes on: each answer stays with its prompt, and 0 means that all is sent.

The server changes the files as it answers, in the middle of a real run, and says each prompt back.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow.parquet import write_table

import batch
from batch.testing import FaultServer, Pause, Received, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from batch import Summary
    from batch.testing import Script

pytestmark = pytest.mark.anyio

Rows = dict[str, str]
COUNT = 120
ROWS: Rows = {f"r{n}": f"text {n} " + "long " * 60 for n in range(COUNT)}
"""Far more than a reader holds at once, so that a change is met in the middle of the file."""


def _csv(rows: Rows) -> bytes:
    return ("id,text\n" + "".join(f"{name},{text}\n" for name, text in rows.items())).encode()


def _jsonl(rows: Rows) -> bytes:
    return "".join(json.dumps({"id": n, "text": text}) + "\n" for n, text in rows.items()).encode()


def _parquet(rows: Rows) -> bytes:
    sink = pa.BufferOutputStream()
    write_table(pa.table({"id": list(rows), "text": list(rows.values())}), sink, row_group_size=10)
    return bytes(sink.getvalue())


def _job_rows(rows: Rows) -> bytes:
    return "".join(json.dumps({"id": n, "prompt": text}) + "\n" for n, text in rows.items()).encode()


TABLES: dict[str, Callable[[Rows], bytes]] = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}
KINDS = [*TABLES, "files", "rows"]


class Inputs:
    """The inputs of a job of one kind, to be written and changed."""

    def __init__(self, folder: Path, kind: str, *, in_place: bool = False) -> None:
        self.folder, self.kind, self.in_place = folder, kind, in_place

    @property
    def file(self) -> Path:
        return self.folder / ("job.jsonl" if self.kind == "rows" else f"rows.{self.kind}")

    def write(self, rows: Rows) -> None:
        if self.kind == "files":
            documents = self.folder / "documents"
            documents.mkdir(exist_ok=True)
            for path in documents.iterdir():
                if path.name not in rows:
                    path.unlink()
            for name, text in rows.items():
                self._put(documents / name, text.encode())
        else:
            self._put(self.file, (_job_rows if self.kind == "rows" else TABLES[self.kind])(rows))

    def _put(self, path: Path, data: bytes) -> None:
        if self.in_place:
            path.write_bytes(data)
            return
        (new := path.with_suffix(".new")).write_bytes(data)
        new.replace(path)

    def job(self, url: str, **more: Any) -> Any:
        """What to run."""
        endpoint = {
            "provider": "openai",
            "base_url": f"{url}/v1",
            "concurrency": 2,
            "adaptive": False,
            **more,
        }
        endpoint = {"model": None if "models" in endpoint else "m", **endpoint}
        endpoint = {key: value for key, value in endpoint.items() if value is not None or key == "prompt"}
        inputs = {"files": "documents/*"} if self.kind == "files" else {self.kind: str(self.file)}
        if self.kind == "rows":
            settings = self.folder / "settings.yaml"
            settings.write_text(json.dumps(endpoint))
            return self.file
        inputs |= endpoint.pop("inputs", {})
        path = self.folder / "job.yaml"
        job = {"prompt": "{{ text }}", **endpoint, "inputs": inputs}
        path.write_text(json.dumps({key: value for key, value in job.items() if value is not None}))
        return path

    async def run(
        self, url: str, *, limit: int | None = None, fail_fast: bool = False, **more: Any
    ) -> Summary:
        job = self.job(url, **more)
        settings = self.folder / "settings.yaml" if self.kind == "rows" else None
        return await batch.arun(job, settings=settings, limit=limit, fail_fast=fail_fast, durability="flush")

    def lines(self) -> dict[str, dict[str, Any]]:
        text = (self.folder / "output" / "job.jsonl").read_text(encoding="utf-8")
        found = [json.loads(line) for line in text.splitlines()]
        assert len({line["id"] for line in found}) == len(found)
        return {line["id"]: line for line in found}

    def answers(self) -> dict[str, str]:
        return {name: line["text"] for name, line in self.lines().items() if line["status"] == "succeeded"}


class Echo:
    """Says each prompt back, and after some requests does something to the inputs."""

    def __init__(self, changes: Mapping[int, Callable[[], object]]) -> None:
        self.prompts: list[str] = []
        self._changes = dict(changes)

    def __call__(self, request: Received) -> Script:
        self.prompts.append(request.messages[-1]["content"])
        if (change := self._changes.get(len(self.prompts))) is not None:
            change()
        return answer(self.prompts[-1])


def _reversed(rows: Rows) -> Rows:
    return dict(reversed(rows.items()))


def _rotated(rows: Rows) -> Rows:
    items = list(rows.items())
    return dict(items[len(items) // 2 :] + items[: len(items) // 2])


def _without(rows: Rows, names: Iterable[str]) -> Rows:
    left_out = set(names)
    return {name: text for name, text in rows.items() if name not in left_out}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def _reasons(summary: Summary) -> str:
    return "\n".join(summary.reasons)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("change", [_reversed, _rotated])
@pytest.mark.parametrize("kind", KINDS)
async def test_rows_that_change_places_are_all_sent_once_and_keep_their_answers(
    root: Path, kind: str, change: Callable[[Rows], Rows], in_place: bool
) -> None:
    inputs = Inputs(root, kind, in_place=in_place)
    inputs.write(ROWS)
    echo = Echo({10: lambda: inputs.write(change(ROWS))})
    async with FaultServer(echo) as server:
        summary = await inputs.run(server.url)
    assert (summary.exit_code, summary.succeeded, summary.pending) == (0, COUNT, 0)
    assert inputs.answers() == ROWS
    assert set(Counter(echo.prompts).values()) == {1}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "files", "rows"])
async def test_a_table_that_shrinks_leaves_the_rest_pending_and_says_so(root: Path, kind: str) -> None:
    inputs = Inputs(root, kind, in_place=True)
    inputs.write(ROWS)
    kept = dict(list(ROWS.items())[: COUNT // 2])
    echo = Echo({5: lambda: inputs.write(kept)})
    async with FaultServer(echo) as server:
        summary = await inputs.run(server.url)
    assert summary.exit_code == 1
    assert summary.total == summary.succeeded + summary.failed + summary.pending == COUNT
    assert summary.succeeded < COUNT
    answers = inputs.answers()
    assert kept.items() <= answers.items() <= ROWS.items()
    if kind == "files":
        assert summary.codes == {"input_changed": summary.failed}
    else:
        assert "no longer found" in _reasons(summary)
    async with FaultServer(again := Echo({})) as server:
        summary = await inputs.run(server.url)
    assert (summary.exit_code, again.prompts) == (0, [])


@pytest.mark.parametrize("kind", KINDS)
async def test_rows_that_are_added_wait_and_displace_none(root: Path, kind: str) -> None:
    inputs = Inputs(root, kind)
    inputs.write(ROWS)
    new = {f"a{n}": f"new {n}" for n in range(30)}
    echo = Echo({5: lambda: inputs.write({**new, **ROWS})})
    async with FaultServer(echo) as server:
        summary = await inputs.run(server.url)
        assert (summary.exit_code, summary.total) == (0, COUNT)
        assert inputs.answers() == ROWS
        assert len(echo.prompts) == COUNT
        summary = await inputs.run(server.url)
    assert (summary.exit_code, summary.attempts) == (0, 30)
    assert inputs.answers() == {**ROWS, **new}


@pytest.mark.parametrize("kind", KINDS)
async def test_of_a_run_that_is_resumed_only_what_is_left_goes_out(root: Path, kind: str) -> None:
    """The marks of the plan are scattered, and then the order changes."""
    inputs = Inputs(root, kind)
    inputs.write({name: text for n, (name, text) in enumerate(ROWS.items()) if n % 3})
    async with FaultServer(Echo({})) as server:
        assert (await inputs.run(server.url)).exit_code == 0
    inputs.write(ROWS)
    echo = Echo({3: partial(inputs.write, _reversed(ROWS))})
    async with FaultServer(echo) as server:
        summary = await inputs.run(server.url)
    assert (summary.exit_code, len(echo.prompts)) == (0, COUNT // 3)
    assert inputs.answers() == ROWS


@pytest.mark.parametrize("kind", KINDS)
async def test_several_models_each_get_all_of_it(root: Path, kind: str) -> None:
    inputs = Inputs(root, kind)
    inputs.write(ROWS)
    echo = Echo({20: lambda: inputs.write(_rotated(ROWS))})
    async with FaultServer(echo) as server:
        summary = await inputs.run(server.url, models=["m", "n"])
    assert (summary.exit_code, summary.succeeded) == (0, 2 * COUNT)
    assert inputs.answers() == {f"{name}/{model}": text for name, text in ROWS.items() for model in "mn"}
    assert set(Counter(echo.prompts).values()) == {2}


async def test_rows_without_ids_are_known_by_their_content(root: Path) -> None:
    texts = [*ROWS.values(), *list(ROWS.values())[:10]]  # some come twice
    table = root / "rows.jsonl"

    def put(texts: Sequence[str]) -> None:
        (new := root / "new").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        new.replace(table)

    put(texts)
    echo = Echo({7: lambda: put(texts[::-1])})
    async with FaultServer(echo) as server:
        summary = await Inputs(root, "jsonl").run(server.url)
    assert (summary.exit_code, summary.succeeded) == (0, COUNT + 10)
    assert Counter(echo.prompts) == Counter(texts)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "rows"])
async def test_a_row_with_another_content_waits_for_the_next_run(root: Path, kind: str) -> None:
    inputs = Inputs(root, kind)
    inputs.write(ROWS)
    edited = {**ROWS, "r100": "edited"}
    echo = Echo({5: lambda: inputs.write(edited)})
    async with FaultServer(echo) as server:
        summary = await inputs.run(server.url)
        if kind != "parquet":  # whose batch may have been read before
            assert summary.pending <= 1
        assert summary.exit_code == (1 if summary.pending else 0)
        assert inputs.answers().items() <= ROWS.items()
        assert (await inputs.run(server.url)).exit_code == 0
    assert inputs.answers() == edited


# Documents.


async def test_an_edited_document_is_sent_as_it_is_now(root: Path) -> None:
    inputs = Inputs(root, "files")
    inputs.write(ROWS)
    echo = Echo({5: lambda: (root / "documents" / "r90").write_text("edited")})
    async with FaultServer(echo) as server:
        summary = await inputs.run(server.url)
        assert (summary.exit_code, summary.pending) == (0, 0)
        assert inputs.answers() == {**ROWS, "r90": "edited"}
        assert (await inputs.run(server.url)).attempts == 0, "its fingerprint is that of what was sent"


def _remove(path: Path) -> None:
    path.unlink()


def _be_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _be_no_text(path: Path) -> None:
    path.write_bytes(b"\x00\xff\x00")


def _be_a_dead_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


SPOILT = [_remove, _be_a_folder, _be_no_text, _be_a_dead_link]


@pytest.mark.parametrize(
    "more", [{}, {"models": ["m", "n"], "samples": 2}, {"inputs": {"split": {"tokens": 50}}}]
)
@pytest.mark.parametrize("spoil", SPOILT)
async def test_a_document_that_goes_fails_alone(
    root: Path, spoil: Callable[[Path], None], more: dict[str, Any]
) -> None:
    inputs = Inputs(root, "files")
    rows = dict(list(ROWS.items())[:20])
    inputs.write(rows)
    echo = Echo({3: lambda: spoil(root / "documents" / "r9")})
    async with FaultServer(echo) as server:
        summary = await inputs.run(server.url, **more)
    bad = {name: line["error"] for name, line in inputs.lines().items() if line["error"]}
    assert (summary.exit_code, summary.pending) == (1, 0)
    assert summary.failed == len(bad) > 0
    assert {name.split("/")[0] for name in bad} == {"r9"}
    assert {(error["code"], error["retryable"]) for error in bad.values()} == {("input_changed", True)}
    assert summary.total == summary.succeeded + summary.failed
    if not more:
        assert inputs.answers() == _without(rows, ["r9"])
    path = root / "documents" / "r9"
    path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
    path.write_text(rows["r9"])
    async with FaultServer(again := Echo({})) as server:
        summary = await inputs.run(server.url, **more)
    assert (summary.exit_code, len(again.prompts)) == (0, len(bad)), "repaired, it is sent"


async def test_all_documents_may_go(root: Path) -> None:
    inputs = Inputs(root, "files")
    inputs.write(ROWS)
    echo = Echo({4: partial(inputs.write, {})})
    async with FaultServer(echo) as server:
        summary = await inputs.run(server.url)
    assert (summary.exit_code, summary.pending) == (1, 0)
    assert summary.succeeded + summary.failed == COUNT
    assert inputs.answers().items() <= ROWS.items()


async def test_an_answer_to_an_earlier_content_is_not_replaced_by_a_failure(root: Path) -> None:
    inputs = Inputs(root, "files")
    inputs.write({"a": "one", "b": "two", "c": "three"})
    async with FaultServer(Echo({})) as server:
        assert (await inputs.run(server.url)).exit_code == 0
    inputs.write({"a": "one!", "b": "two!", "c": "three!"})
    async with FaultServer(Echo({1: (root / "documents" / "c").unlink})) as server:
        summary = await inputs.run(server.url, concurrency=1)
    assert (summary.exit_code, summary.pending) == (1, 1)
    assert inputs.answers() == {"a": "one!", "b": "two!", "c": "three"}


# Whole tables.


@pytest.mark.parametrize("spoil", [_remove, _be_a_folder, _be_a_dead_link])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "rows"])
async def test_a_table_that_goes_ends_reading_and_nothing_else(
    root: Path, kind: str, spoil: Callable[[Path], None]
) -> None:
    inputs = Inputs(root, kind)
    inputs.write(ROWS)
    second = root / "late.jsonl"

    def change() -> None:
        inputs.write(_reversed(ROWS))  # so that the file must be opened again
        if not second.exists():
            second.touch()
            spoil(inputs.file)

    echo = Echo({5: change})
    async with FaultServer(echo) as server:
        summary = await inputs.run(server.url, models=["m", "n"])
    assert summary.total == summary.succeeded + summary.pending == 2 * COUNT
    assert summary.exit_code == (1 if summary.pending else 0)
    expected = {f"{name}/{model}": text for name, text in ROWS.items() for model in "mn"}
    assert inputs.answers().items() <= expected.items()
    if summary.pending:
        assert summary.reasons
    if inputs.file.is_dir():
        os.rmdir(inputs.file)
    inputs.file.unlink(missing_ok=True)
    inputs.write(ROWS)
    async with FaultServer(again := Echo({})) as server:
        after = await inputs.run(server.url, models=["m", "n"])
    assert (after.exit_code, len(again.prompts)) == (0, summary.pending)
    assert inputs.answers() == expected


async def test_an_image_that_goes_fails_its_row_alone(root: Path) -> None:
    png = b"\x89PNG\r\n\x1a\n" + b"0" * 10
    for n in range(20):
        (root / f"{n}.png").write_bytes(png)
    (root / "rows.jsonl").write_text("".join(f'{{"id": "i{n}", "file": "{n}.png"}}\n' for n in range(20)))
    prompts = [{"prompt": "See {{ id }}", "images": ["{{ file }}"]}]
    asked: list[str] = []

    def script(request: Received) -> Script:
        asked.append(request.messages[-1]["content"][0]["text"])
        if len(asked) == 3:
            (root / "15.png").unlink()
        return answer("seen")

    inputs = Inputs(root, "jsonl")
    async with FaultServer(script) as server:
        summary = await inputs.run(server.url, prompt=None, prompts=prompts)
    assert (summary.exit_code, summary.succeeded, summary.failed, summary.pending) == (1, 19, 1, 0)
    error = inputs.lines()["i15"]["error"]
    assert error["code"] == "input_changed"
    assert "15.png" in error["message"]


# Beside other reasons to stop.


async def test_a_limit_is_the_reason_where_it_is_one(root: Path) -> None:
    inputs = Inputs(root, "jsonl")
    inputs.write(ROWS)
    echo = Echo({3: partial(inputs.write, _reversed(ROWS))})
    async with FaultServer(echo) as server:
        summary = await inputs.run(server.url, limit=50)
        assert (summary.exit_code, summary.pending, len(echo.prompts)) == (8, COUNT - 50, 50)
        assert summary.reasons == ["--limit: 50 requests were sent"]
        assert (await inputs.run(server.url)).exit_code == 0
    assert inputs.answers() == ROWS
    assert len(echo.prompts) == COUNT


@pytest.mark.parametrize("fail_fast", [False, True])
async def test_fail_fast_and_a_document_that_goes(root: Path, fail_fast: bool) -> None:
    inputs = Inputs(root, "files")
    inputs.write({"a": "one", "b": "two", "c": "three"})
    async with FaultServer(Echo({1: (root / "documents" / "b").unlink})) as server:
        summary = await inputs.run(server.url, fail_fast=fail_fast)
    assert summary.exit_code == 1


# Jobs that are read while they run.

SKIP = {"on_bad_row": "skip"}
READ_AS_THEY_RUN = ["csv", "jsonl", "parquet", "files"]


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("models", [["m"], ["m", "n"]])
@pytest.mark.parametrize("kind", READ_AS_THEY_RUN)
async def test_without_a_plan_too_rows_that_change_places_are_all_sent_once(
    root: Path, kind: str, models: list[str], in_place: bool
) -> None:
    inputs = Inputs(root, kind, in_place=in_place)
    inputs.write(ROWS)
    echo = Echo({10: partial(inputs.write, _reversed(ROWS)), 50: partial(inputs.write, _rotated(ROWS))})
    async with FaultServer(echo) as server:
        summary = await inputs.run(server.url, inputs=SKIP, models=models)
    assert (summary.exit_code, summary.total, summary.pending) == (0, COUNT * len(models), 0)
    assert set(inputs.answers().values()) == set(ROWS.values())
    assert {name.split("/")[0]: text for name, text in inputs.answers().items()} == ROWS
    assert set(Counter(echo.prompts).values()) == {len(models)}


@pytest.mark.parametrize("kind", READ_AS_THEY_RUN[:3])
async def test_without_a_plan_rows_that_are_added_are_sent_too(root: Path, kind: str) -> None:
    inputs = Inputs(root, kind, in_place=True)
    inputs.write(ROWS)
    new = {f"a{n}": f"new {n}" for n in range(30)}
    echo = Echo({5: partial(inputs.write, {**new, **ROWS})})
    async with FaultServer(echo) as server:
        summary = await inputs.run(server.url, inputs=SKIP)
    assert (summary.exit_code, summary.total) == (0, COUNT + 30)
    assert inputs.answers() == {**ROWS, **new}
    assert len(echo.prompts) == COUNT + 30


async def test_without_a_plan_a_table_that_changes_all_the_time_leaves_the_rest_pending(root: Path) -> None:
    inputs = Inputs(root, "csv")
    inputs.write(ROWS)
    echo = Echo({n: partial(inputs.write, (_reversed if n % 2 else _rotated)(ROWS)) for n in range(1, COUNT)})
    async with FaultServer(echo) as server:
        summary = await inputs.run(server.url, inputs=SKIP)
        assert summary.exit_code == 1
        assert "a part of them was not read" in _reasons(summary)
        assert inputs.answers().items() <= ROWS.items()
    async with FaultServer(Echo({})) as server:
        assert (await inputs.run(server.url, inputs=SKIP)).exit_code == 0
    assert inputs.answers() == ROWS


@pytest.mark.parametrize("kind", READ_AS_THEY_RUN[:3])
async def test_without_a_plan_a_table_that_goes_ends_reading_and_nothing_else(root: Path, kind: str) -> None:
    inputs = Inputs(root, kind)
    inputs.write(ROWS)
    echo = Echo({5: inputs.file.unlink})
    async with FaultServer(echo) as server:
        summary = await inputs.run(server.url, inputs=SKIP)
    assert summary.exit_code == 1
    assert "no such file" in _reasons(summary).lower()
    assert len(inputs.answers()) == len(echo.prompts) >= 5
    assert inputs.answers().items() <= ROWS.items()


@pytest.mark.parametrize("models", [["m"], ["m", "n"]])
@pytest.mark.parametrize("spoil", SPOILT)
async def test_without_a_plan_a_document_that_goes_is_never_counted_as_done(
    root: Path, spoil: Callable[[Path], None], models: list[str]
) -> None:
    inputs = Inputs(root, "files")
    inputs.write(ROWS)
    echo = Echo({3: lambda: spoil(root / "documents" / "r9")})
    async with FaultServer(echo) as server:
        summary = await inputs.run(server.url, inputs=SKIP, models=models)
    assert summary.exit_code == 1
    assert (summary.total, summary.failed) == (119 * len(models) + 1, 1)
    assert inputs.lines()["r9"]["error"]["code"] == "bad_row"


async def test_a_document_that_goes_after_one_model_has_it_is_named(root: Path) -> None:
    """The second model is parked until the first has had everything."""
    inputs = Inputs(root, "files")
    inputs.write(ROWS)
    asked = Counter[str]()

    def script(request: Received) -> Script:
        asked[request.json["model"]] += 1
        if asked["m"] == COUNT:
            (root / "documents" / "r9").unlink(missing_ok=True)
        return [Pause(0.5), *answer("late")] if request.json["model"] == "n" else answer("early")

    models = ["m", {"id": "n", "concurrency": 1, "model": "n"}]
    async with FaultServer(script) as server:
        summary = await inputs.run(server.url, inputs=SKIP, models=models, limits={"time": "5s"})
    assert "r9" in _reasons(summary)
    assert summary.exit_code != 0
