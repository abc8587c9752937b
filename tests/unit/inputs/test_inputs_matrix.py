"""``matrix`` and ``samples``: which requests they make, what these are called, and what makes them stale."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.inputs import JobSource, check
from batch.inputs.combinations import named
from batch.jobfile import load_mapping
from batch.jobfile.resolve.matrix import combinations
from tests.support.inputs_support import by_id, marks, source, source_of
from tests.support.jobfile_support import HEAD, diagnostics_of, write

if TYPE_CHECKING:
    from pathlib import Path

# Combinations.

FRUIT = {"fruit": ["apple", "pear"], "animal": ["cat", "dog"]}
TWO = {"a": [1, 2], "b": ["x", "y"]}


@pytest.mark.parametrize(
    ("axes", "include", "exclude", "expected"),
    [
        pytest.param({"a": [1, 2]}, [], [], [{"a": 1}, {"a": 2}], id="one axis"),
        pytest.param(
            TWO,
            [],
            [],
            [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}],
            id="the last axis is the fastest",
        ),
        pytest.param(
            TWO,
            [],
            [{"a": 1}, {"a": 2, "b": "y"}],
            [{"a": 2, "b": "x"}],
            id="an exclusion matches by the keys that it has",
        ),
        pytest.param({"a": [True, 1]}, [], [{"a": 1}], [{"a": True}], id="true is no 1"),
        pytest.param({}, [{"a": 1}, {"b": 2}], [], [{"a": 1}, {"b": 2}], id="inclusions alone"),
        pytest.param(
            FRUIT,
            [
                {"color": "green"},
                {"color": "pink", "animal": "cat"},
                {"fruit": "apple", "shape": "circle"},
                {"fruit": "banana"},
                {"fruit": "banana", "animal": "cat"},
            ],
            [],
            [
                {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
                {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
                {"fruit": "pear", "animal": "cat", "color": "pink"},
                {"fruit": "pear", "animal": "dog", "color": "green"},
                {"fruit": "banana"},
                {"fruit": "banana", "animal": "cat"},
            ],
            id="the example in the documentation of GitHub Actions",
        ),
    ],
)
def test_combinations(axes: Any, include: Any, exclude: Any, expected: list[dict[str, Any]]) -> None:
    assert list(combinations(axes, include, exclude)) == expected


@given(
    st.dictionaries(st.sampled_from("abc"), st.lists(st.integers(), min_size=1, max_size=4, unique=True)),
    st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), min_size=1), max_size=3),
)
def test_an_exclusion_takes_out_what_it_matches_and_nothing_else(
    axes: dict[str, list[int]], exclude: list[dict[str, int]]
) -> None:
    every = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())] if axes else []
    kept = list(combinations(axes, [], exclude))
    assert kept == [each for each in every if not any(entry.items() <= each.items() for entry in exclude)]


@pytest.mark.parametrize(
    ("matrix", "names"),
    [
        ([], [()]),
        ([{"a": 1}], [()]),
        ([{"a": 1, "b": 0}, {"a": 2, "b": 0}], [("1",), ("2",)]),
        ([{"a": "x"}, {"a": True}, {"a": None}, {"a": 0.5}], [("x",), ("true",), ("null",), ("0.5",)]),
        ([{"a": 1}, {"a": 1, "b": 2}], [(), ("2",)]),
        ([{"a": 1}, {"b": 1}], [("a=1",), ("b=1",)]),
    ],
)
def test_a_name_has_the_values_that_differ(matrix: list[dict[str, Any]], names: list[tuple[str]]) -> None:
    assert [each.parts for each in named(matrix)] == names


def test_a_value_that_does_not_read_well_is_named_by_its_digest() -> None:
    names = [each.parts for each in named([{"a": "x" * 61}, {"a": "two\nlines"}, {"a": {"b": 1}}])]
    assert len(set(names)) == 3
    assert all(len(name) == 8 for (name,) in names)


# Requests.

TEXTS = {"a.txt": "one", "b.txt": "two"}


def _job(folder: Path, **changes: Any) -> JobSource:
    job = {
        "provider": "openai",
        "base_url": "http://h/v1",
        "model": "m",
        "prompt": "{{ tone }}: {{ text }}",
        "inputs": {"files": ["*.txt"]},
        "matrix": {"tone": ["formal", "casual"]},
        **changes,
    }
    return source_of(load_mapping(job, folder))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in TEXTS.items():
        write(tmp_path, text, name)
    return tmp_path


def test_each_combination_fills_the_prompt_and_is_kept_as_metadata(folder: Path) -> None:
    requests = by_id(_job(folder))
    assert {name: request.messages[0]["content"] for name, request in requests.items()} == {
        "a.txt/formal": "formal: one",
        "a.txt/casual": "casual: one",
        "b.txt/formal": "formal: two",
        "b.txt/casual": "casual: two",
    }
    assert requests["b.txt/casual"].metadata == {"path": "b.txt", "matrix": {"tone": "casual"}}


def test_an_id_reads_row_prompt_model_matrix_sample(folder: Path) -> None:
    prompts = [{"id": "brief", "prompt": "x {{ tone }}"}, {"id": "long", "prompt": "y {{ tone }}"}]
    job = _job(folder, prompt=None, prompts=prompts, model=None, models=["llama", "qwen"], samples=2)
    expected = product(TEXTS, ("brief", "long"), ("formal", "casual"), ("llama", "qwen"), ("1", "2"))
    assert [request.id for request in job.requests()] == [
        f"{row}/{prompt}/{model}/{tone}/{sample}" for row, prompt, tone, model, sample in expected
    ]
    assert check(job).by_target == {"llama": 16, "qwen": 16}


def test_a_value_more_renames_and_changes_no_other_request(folder: Path) -> None:
    before = marks(_job(folder))
    after = marks(_job(folder, matrix={"tone": ["terse", "formal", "casual"]}))
    assert before.items() < after.items()
    assert len(after) == 6


def test_a_variable_that_some_combinations_lack_is_named(folder: Path) -> None:
    job = _job(
        folder, matrix={"include": [{"tone": "formal"}, {"tune": "x"}]}, inputs=None, prompt="{{ tone }}"
    )
    assert diagnostics_of(lambda: check(job)) == [
        "job: prompt: no variable `tone` for the prompt; did you mean `tune`?"
    ]


def test_a_column_and_the_matrix_may_not_share_a_name(folder: Path) -> None:
    assert diagnostics_of(lambda: check(_job(folder, matrix={"text": ["x"]}, prompt="{{ text }}"))) == [
        "job: matrix.text: `text` is both a matrix variable and a column; rename one"
    ]


def test_values_are_never_templates(folder: Path) -> None:
    requests = by_id(_job(folder, matrix={"tone": ["{{ 7 * 7 }}", "{% raw %}"]}))
    assert requests["a.txt/{{ 7 * 7 }}"].messages[0]["content"] == "{{ 7 * 7 }}: one"


# Samples.


def test_samples_differ_in_their_fingerprints_alone(folder: Path) -> None:
    one = marks(_job(folder, matrix=None, prompt="{{ text }}"))
    three = by_id(_job(folder, matrix=None, prompt="{{ text }}", samples=3))
    assert list(three) == [f"{name}/{number}" for name in TEXTS for number in (1, 2, 3)]
    assert len({request.fingerprint for request in three.values()}) == 6
    assert three["a.txt/1"].fingerprint == one["a.txt"]
    assert three["a.txt/1"].messages == three["a.txt/3"].messages
    assert three["a.txt/3"].metadata == {"path": "a.txt", "sample": 3}
    assert all("seed" not in request.params for request in three.values())


def test_more_samples_touch_none_that_are_there(folder: Path) -> None:
    assert marks(_job(folder, samples=2)).items() < marks(_job(folder, samples=5)).items()


def test_a_seed_counts_up_with_the_samples(folder: Path) -> None:
    requests = by_id(_job(folder, matrix=None, prompt="{{ text }}", samples=3, params={"seed": 7}))
    assert [requests[f"a.txt/{number}"].params for number in (1, 2, 3)] == [
        {"seed": 7},
        {"seed": 8},
        {"seed": 9},
    ]


def test_samples_of_a_row_without_an_id_have_names_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, '{"prompt": "x"}\n{"prompt": "x"}\n', "rows.jsonl")
    flags = {"provider": "openai", "base_url": "http://h/v1", "model": "m", "samples": 2}
    requests = by_id(source(tmp_path / "rows.jsonl", flags))
    assert len(requests) == 4
    assert [name.endswith("-2") for name in requests] == [False, False, True, True]


def test_one_targets_requests_are_those_it_has_among_all(folder: Path) -> None:
    job = _job(folder, model=None, models=["m", "n"], samples=2)
    everything = list(job.requests())
    for target in ("m", "n"):
        assert list(job.requests(target)) == [each for each in everything if each.target == target]


def test_samples_are_counted_without_being_built(folder: Path) -> None:
    assert check(_job(folder, samples=100_000)).total == 400_000


def test_nothing_in_a_row_is_a_template_and_so_a_matrix_has_no_place_there(tmp_path: Path) -> None:
    write(tmp_path, '{"prompt": "x"}\n', "rows.jsonl")
    flags = {"provider": "openai", "base_url": "http://h/v1", "model": "m", "matrix": {"a": [1]}}
    assert diagnostics_of(lambda: source(tmp_path / "rows.jsonl", flags)) == [
        "--set matrix: matrix: not allowed for a JSONL job file; leave it out"
    ]


def test_a_matrix_in_yaml(tmp_path: Path) -> None:
    text = """\
        prompt: '{{ lang }} {{ level }} {{ note }}'
        matrix:
          lang: [de, no]
          level: [1, 2]
          exclude:
            - {lang: 'no', level: 2}
          include:
            - {note: x}
        """
    requests = by_id(source(write(tmp_path, HEAD + "\n".join(line[8:] for line in text.split("\n")))))
    assert [request.messages[0]["content"] for request in requests.values()] == ["de 1 x", "de 2 x", "no 1 x"]
    assert list(requests) == ["de/1", "de/2", "no/1"]
