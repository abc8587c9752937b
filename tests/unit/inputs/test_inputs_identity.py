"""Ids and fingerprints: what names a request, and what makes its result stale."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.errors import JobFileError
from batch.inputs import check, fingerprint
from batch.jobfile import load_mapping
from tests.support.inputs_support import by_id, marks, source, source_of
from tests.support.jobfile_support import HEAD, diagnostics_of, write

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = {"a.txt": "one", "b.txt": "two", "c.txt": "three"}


def _summaries(folder: Path, **changes: Any) -> dict[str, str]:
    job = {
        "provider": "openai",
        "base_url": "http://h/v1",
        "model": "llama",
        "prompt": "Sum up: {{ text }}",
        "inputs": {"files": ["documents/*.txt"]},
        **changes,
    }
    return marks(source_of(load_mapping(job, folder)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in DOCUMENTS.items():
        write(tmp_path, text, f"documents/{name}")
    return tmp_path


def test_adding_a_document_adds_one_request_and_touches_no_other(folder: Path) -> None:
    before = _summaries(folder)
    write(folder, "new", "documents/aa.txt")
    after = _summaries(folder)
    assert before.items() < after.items()
    assert set(after) - set(before) == {"aa.txt"}


def test_editing_a_document_changes_its_fingerprint_alone(folder: Path) -> None:
    before = _summaries(folder)
    write(folder, "two, edited", "documents/b.txt")
    after = _summaries(folder)
    assert {name for name in before if before[name] != after[name]} == {"b.txt"}


def _differing(before: dict[str, str], after: dict[str, str]) -> int:
    assert before.keys() == after.keys()
    return sum(before[name] != after[name] for name in before)


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "Sum up, please: {{ text }}"},
        {"system": "Be brief."},
        {"params": {"temperature": 0}},
        {"model": "other"},
        {"provider": "autonomous"},
    ],
)
def test_what_shapes_the_answer_changes_every_fingerprint(change: dict[str, Any], folder: Path) -> None:
    assert _differing(_summaries(folder), _summaries(folder, **change)) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"base_url": "https://elsewhere/v1"},
        {"base_url": "local"},
        {"concurrency": 2},
        {"name": "other"},
        {"retries": {"max_attempts": 1}},
        {"timeouts": {"idle": "1s"}},
        {"headers": {"X-Team": "b"}},
        {"output": {"path": "r.jsonl"}},
        {"inputs": {"files": ["documents/c.txt", "documents/*.txt"]}},
        {"model": {"id": "mine", "model": "llama"}},
    ],
)
def test_where_and_how_it_is_asked_changes_none(change: dict[str, Any], folder: Path) -> None:
    assert _differing(_summaries(folder), _summaries(folder, **change)) == 0


def test_the_order_of_params_changes_nothing(folder: Path) -> None:
    one, other = {"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}
    assert _differing(_summaries(folder, params=one), _summaries(folder, params=other)) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [(0, 0.0), (0, -0.0), (1e3, 1000), ({"a": [2.0]}, {"a": [2]}), ([{"b": 1}], [{"b": 1.0}])],
)
def test_a_number_is_the_same_however_it_is_written(one: Any, other: Any, folder: Path) -> None:
    same = _summaries(folder, params={"p": one}), _summaries(folder, params={"p": other})
    assert _differing(*same) == 0
    assert _differing(same[0], _summaries(folder, params={"p": 0.5})) == 3
    assert _differing(_summaries(folder, params={"p": 1}), _summaries(folder, params={"p": True})) == 3


def test_what_answers_on_the_embedded_endpoint_is_part_of_it(folder: Path) -> None:
    job = load_mapping(
        {"provider": "openai", "base_url": "local", "model": "m", "prompt": "x"},
        folder,
    )
    plain, first, second = (
        marks(source_of(job, identities))
        for identities in (
            None,
            {"m": {"engine": "llama", "weights": "1"}},
            {"m": {"engine": "llama", "weights": "2"}},
        )
    )
    assert len({*plain.values(), *first.values(), *second.values()}) == 3


def test_an_alias_is_the_model_it_stands_for(folder: Path) -> None:
    alias = by_id(
        source_of(load_mapping({"provider": "autonomous", "model": "llama-3.3-70b", "prompt": "x"}, folder))
    )
    plain = by_id(
        source_of(load_mapping({"provider": "autonomous", "model": "llama", "prompt": "x"}, folder))
    )
    assert alias["prompt"].fingerprint == plain["prompt"].fingerprint
    assert (alias["prompt"].model, alias["prompt"].target) == ("llama", "llama-3.3-70b")


def test_a_fingerprint_is_pinned() -> None:
    """A change of this value makes every result of every user stale."""
    messages = [{"role": "user", "content": "Hi"}]
    assert fingerprint("openai", "m", messages, {"b": 1, "a": 0.5}) == "254f9021f44a907891ddb64310c9531a"


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
_PARAMS = st.dictionaries(st.text(max_size=3), _JSON, max_size=3)


@given(_PARAMS, _PARAMS)
def test_fingerprints_are_equal_exactly_for_equal_params(one: dict[str, Any], other: dict[str, Any]) -> None:
    are_equal = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    marks_equal = fingerprint("openai", "m", [], one) == fingerprint("openai", "m", [], other)
    assert marks_equal == are_equal
    assert len(fingerprint("openai", "m", [], one)) == 32


# Ids.

ROWS = '{"id": "r1", "x": 1}\n{"id": "r2", "x": 2}\n'
ONE_PROMPT = "prompt: '{{ x }}'\n"
TWO_PROMPTS = "prompts: [{id: p, prompt: 'P {{ x }}'}, {id: q, prompt: 'Q {{ x }}'}]\n"
INPUTS = "inputs: {jsonl: rows.jsonl}\n"
ONE_MODEL = HEAD
TWO_MODELS = "provider: openai\nbase_url: http://h/v1\nmodels: [m, n]\n"


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (ONE_MODEL + "prompt: a\n", ["prompt"]),
        (ONE_MODEL + "prompts: [{id: p, prompt: a}]\n", ["p"]),
        (ONE_MODEL + "prompts: [{id: p, prompt: a}, {id: q, prompt: b}]\n", ["p", "q"]),
        (TWO_MODELS + "prompt: a\n", ["m", "n"]),
        (TWO_MODELS + "prompts: [{id: p, prompt: a}, {id: q, prompt: b}]\n", ["p/m", "p/n", "q/m", "q/n"]),
        (ONE_MODEL + ONE_PROMPT + INPUTS, ["r1", "r2"]),
        (ONE_MODEL + TWO_PROMPTS + INPUTS, ["r1/p", "r1/q", "r2/p", "r2/q"]),
        (TWO_MODELS + ONE_PROMPT + INPUTS, ["r1/m", "r1/n", "r2/m", "r2/n"]),
        (
            TWO_MODELS + TWO_PROMPTS + INPUTS,
            ["r1/p/m", "r1/p/n", "r1/q/m", "r1/q/n", "r2/p/m", "r2/p/n", "r2/q/m", "r2/q/n"],
        ),
    ],
)
def test_an_id_has_the_parts_of_which_there_are_several(text: str, ids: list[str], tmp_path: Path) -> None:
    write(tmp_path, ROWS, "rows.jsonl")
    path = write(tmp_path, text)
    assert [request.id for request in source(path).requests()] == ids
    assert check(source(path)).total == len(ids)


def test_prompts_without_ids_are_named_by_their_content(tmp_path: Path) -> None:
    one = write(tmp_path, HEAD + "prompts: [{prompt: a}, {prompt: b}]\n", "one.yaml")
    other = write(tmp_path, HEAD + "prompts: [{prompt: new}, {prompt: b}, {prompt: a}]\n", "other.yaml")
    first, second = marks(source(one)), marks(source(other))
    assert first.items() < second.items()
    assert all(len(name) == 8 for name in second)


def test_a_row_without_an_id_is_named_by_its_content_and_an_ordinal_among_equals(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + ONE_PROMPT + INPUTS)
    write(tmp_path, '{"x": 1}\n{"x": 2}\n{"x": 1}\n{"x": 1}\n', "rows.jsonl")
    requests = list(source(path).requests())
    one, two = requests[0].fingerprint, requests[1].fingerprint
    assert [request.id for request in requests] == [one, two, f"{one}-2", f"{one}-3"]
    assert {request.fingerprint for request in requests} == {one, two}
    assert check(source(path)).total == 4


def test_reordering_rows_without_ids_renames_none(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + ONE_PROMPT + INPUTS)
    write(tmp_path, '{"x": 1}\n{"x": 2}\n{"x": 1}\n', "rows.jsonl")
    before = marks(source(path))
    write(tmp_path, '{"x": 2}\n{"x": 1}\n{"x": 1}\n', "rows.jsonl")
    assert marks(source(path)) == before


# One target.

TWINS = """
    provider: openai
    base_url: http://h/v1
    models:
      - {id: a, model: m}
      - {id: b, model: m, base_url: http://other/v1}
      - {id: c, model: n}
    prompt: '{{ x }}'
    inputs: {jsonl: rows.jsonl}
    """


@pytest.mark.parametrize("rows", [ROWS, '{"x": 1}\n{"x": 2}\n{"x": 1}\n'])
def test_one_targets_requests_are_those_it_has_among_all(rows: str, tmp_path: Path) -> None:
    write(tmp_path, rows, "rows.jsonl")
    requests = source(write(tmp_path, TWINS))
    everything = list(requests.requests())
    assert len({request.id for request in everything}) == len(everything)
    for target in ("a", "b", "c"):
        assert list(requests.requests(target)) == [each for each in everything if each.target == target]
    assert check(requests).by_target == dict.fromkeys("abc", len(rows.splitlines()))


def test_requests_can_be_read_again_and_side_by_side(tmp_path: Path) -> None:
    write(tmp_path, ROWS, "rows.jsonl")
    requests = source(write(tmp_path, TWINS))
    one, other = requests.requests(), requests.requests("b")
    pairs = list(zip(one, other, strict=False))
    assert [request.id for _, request in pairs] == ["r1/b", "r2/b"]
    assert list(requests.requests()) == list(requests.requests())


# JSONL jobs.

SOMEWHERE = {"provider": "openai", "base_url": "http://h/v1", "models": ["m", "n"]}


def test_a_row_of_a_jsonl_job_goes_to_its_model_or_to_all(tmp_path: Path) -> None:
    rows = """\
        {"id": "a", "prompt": "x"}
        {"id": "b", "prompt": "x", "model": "n"}
        {"id": "c", "prompt": "x", "model": "z"}
        """
    requests = source(write(tmp_path, rows, "rows.jsonl"), SOMEWHERE)
    assert [(each.id, each.target) for each in requests.requests()] == [
        ("a/m", "m"),
        ("a/n", "n"),
        ("b", "n"),
        ("c", "z"),
    ]
    assert check(requests).by_target == {"m": 1, "n": 2, "z": 1}


def test_a_rows_params_win_and_its_metadata_is_kept(tmp_path: Path) -> None:
    rows = '{"id": "a", "prompt": "x", "params": {"seed": 2}, "metadata": {"k": 1}}\n'
    flags = {**SOMEWHERE, "models": ["m"], "params": {"seed": 1, "top_p": 1}}
    request = by_id(source(write(tmp_path, rows, "rows.jsonl"), flags))["a"]
    assert (request.params, request.metadata) == ({"seed": 2, "top_p": 1}, {"k": 1})


def test_ids_that_come_twice_are_all_named(tmp_path: Path) -> None:
    rows = "".join(f'{{"id": "{name}", "prompt": "x"}}\n' for name in ("a", "b", "a", "b", "a"))
    path = write(tmp_path, rows, "rows.jsonl")
    said = diagnostics_of(lambda: check(source(path, {**SOMEWHERE, "models": ["m"]})))
    assert said == [
        f"rows.jsonl:{line}:1: duplicate id {name}; the first is on line {first}; ids must be unique"
        for line, name, first in ((3, "a", 1), (4, "b", 2), (5, "a", 1))
    ]


def test_a_row_that_went_bad_after_the_check_stops_the_stream(tmp_path: Path) -> None:
    path = write(tmp_path, '{"id": "a", "prompt": "x"}\n', "rows.jsonl")
    requests = source(path, SOMEWHERE)
    path.write_text('{"id": "a", "prompt": "x"}\n{"id": "b"}\n')
    stream = requests.requests("m")
    assert next(stream).id == "a/m"
    with pytest.raises(JobFileError, match="no prompt"):
        next(stream)
