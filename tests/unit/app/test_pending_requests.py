"""A queue's way through the job: all that is pending for it, nothing else, and never long without a pause."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.app.run.pending_requests import SLICE, Allowance
from batch.app.run.plan import Plan, make_plan
from batch.inputs.bitset import Bitset
from batch.inputs.render import PromptTemplate
from batch.records import Known
from tests.support.inputs_support import source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from batch.inputs import JobSource
    from batch.records import JSONObject, Request, Result

ENDPOINT = {"provider": "openai", "base_url": "http://h/v1"}


class Output:
    """A sink that knows of everything but what is pending."""

    def __init__(self, requests: JobSource, pending: Collection[str]) -> None:
        self._known = {
            each.id: Known(each.fingerprint, succeeded=True)
            for each in requests.requests()
            if each.id not in pending
        }

    def known(self, request_id: str) -> Known | None:
        return self._known.get(request_id)

    async def write(self, results: Sequence[Result]) -> None:
        raise NotImplementedError


def yaml_job(folder: Path, rows: Sequence[dict[str, str]], **changes: Any) -> JobSource:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    job = {**ENDPOINT, "models": ["a", "b"], "prompt": "{{ text }}", "inputs": {"jsonl": "rows.jsonl"}}
    (folder / "job.yaml").write_text(json.dumps(job | changes))
    return source(folder / "job.yaml")


def jsonl_job(folder: Path, rows: Sequence[dict[str, str]]) -> JobSource:
    (folder / "job.jsonl").write_text("".join(json.dumps(row) + "\n\n" for row in rows))
    return source(folder / "job.jsonl", ENDPOINT)


def planned(job: JobSource, pending: Collection[str]) -> tuple[Plan, Output]:
    output = Output(job, pending)
    return make_plan(job, output.known), output


def cursor(job: JobSource, target: str, pending: Collection[str]) -> Iterator[Request | None]:
    plan, output = planned(job, pending)
    return Allowance(None).pending(job, target, plan, output)


def check_every_target(job: JobSource, data: st.DataObject) -> None:
    everything = list(job.requests())
    pending = data.draw(st.sets(st.sampled_from(sorted(each.id for each in everything))))
    for target in job.targets:
        found = [each for each in cursor(job, target, pending) if each is not None]
        assert found == [each for each in everything if each.target == target and each.id in pending]


MODELS = st.sampled_from([["a"], ["a", "b"], ["a", "b", {"id": "c", "model": "a"}]])
TEXTS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=20)
PROMPTS = [{"id": "x", "prompt": "X {{ text }}"}, {"id": "y", "prompt": "Y {{ text }}"}]


@given(data=st.data(), texts=TEXTS, models=MODELS, has_id=st.booleans())
def test_it_gives_what_is_pending_in_order(
    data: st.DataObject, texts: list[str], models: list[Any], has_id: bool
) -> None:
    """Also where requests are named by their content, and where some have equal content."""
    rows = [{"text": text} | ({"id": f"row {n}"} if has_id else {}) for n, text in enumerate(texts)]
    with TemporaryDirectory() as folder:
        job = yaml_job(Path(folder), rows, models=models, prompts=PROMPTS, prompt=None)
        check_every_target(job, data)


@given(data=st.data(), texts=TEXTS, has_id=st.booleans())
def test_so_it_does_in_a_jsonl_job(data: st.DataObject, texts: list[str], has_id: bool) -> None:
    rows = [
        {"prompt": text, "model": data.draw(st.sampled_from("ab"))} | ({"id": f"row {n}"} if has_id else {})
        for n, text in enumerate(texts)
    ]
    with TemporaryDirectory() as folder:
        check_every_target(jsonl_job(Path(folder), rows), data)


def test_a_row_that_needs_nothing_is_not_rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = yaml_job(tmp_path, [{"id": str(n), "text": "?"} for n in range(100)], models=["a"])
    plan, output = planned(job, {"99"})
    rendered = []
    render = PromptTemplate.render

    def noted(template: PromptTemplate, variables: Mapping[str, Any]) -> tuple[JSONObject, ...]:
        rendered.append(variables["id"])
        return render(template, variables)

    monkeypatch.setattr(PromptTemplate, "render", noted)
    assert len([each for each in Allowance(None).pending(job, "a", plan, output) if each]) == 1
    assert rendered == ["99"]


def test_it_pauses_once_a_slice_on_its_way_past_other_rows(tmp_path: Path) -> None:
    rows = [{"id": str(n), "prompt": "?", "model": "a" if n < 1000 else "b"} for n in range(1001)]
    job = jsonl_job(tmp_path, rows)
    plan, output = planned(job, {"1000"})
    ticks = itertools.count(step=SLICE / 100)
    steps = list(Allowance(None, lambda: next(ticks)).pending(job, "b", plan, output))
    assert len(steps) == pytest.approx(1000 / 100, abs=2)
    assert [step.id for step in steps if step is not None] == ["1000"]
    assert steps[-1] is not None, "and not beyond the last that is pending"


def test_what_is_added_after_the_plan_waits_for_the_next_run(tmp_path: Path) -> None:
    job = jsonl_job(tmp_path, [{"id": "0", "prompt": "?", "model": "a"}])
    plan, output = planned(job, {"0", "1"})
    with (tmp_path / "job.jsonl").open("a") as file:
        file.write('{"id": "1", "prompt": "?", "model": "a"}\n')
    found = Allowance(None).pending(job, "a", plan, output)
    assert [each.id for each in found if each is not None] == ["0"]


@pytest.mark.parametrize(("limit", "sent", "used_up"), [(2, 2, True), (3, 3, False), (9, 3, False)])
def test_an_allowance_is_used_up_when_it_cuts_something(
    tmp_path: Path, limit: int, sent: int, used_up: bool
) -> None:
    job = yaml_job(tmp_path, [{"id": str(n), "text": "?"} for n in range(5)], models=["a"])
    plan, output = planned(job, {"0", "2", "4"})
    allowance = Allowance(limit)
    found = [each for each in allowance.pending(job, "a", plan, output) if each is not None]
    assert (len(found), allowance.used_up) == (sent, used_up)


@given(st.sets(st.integers(0, 200)))
def test_marks_are_a_set(numbers: set[int]) -> None:
    marks = Bitset()
    for number in numbers:
        marks.add(number)
    assert {number for number in range(300) if number in marks} == numbers
