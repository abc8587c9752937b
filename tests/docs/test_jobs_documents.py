"""The example jobs: ten documents worth summarising, and job files that say what they claim."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

JOBS = Path(__file__).parents[2] / "jobs"
DOCUMENTS = sorted((JOBS / "documents").glob("*.txt"))

every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)


def sentences(path: Path) -> list[str]:
    """The document's sentences with their white space normalised, cut after ``.``, ``?`` or ``!``."""
    return re.split(r"(?<=[.?!])\s+", " ".join(path.read_text("utf-8").split()))


def load(name: str) -> Any:
    return yaml.safe_load((JOBS / name).read_text("utf-8"))


def test_there_are_ten_documents() -> None:
    assert len(DOCUMENTS) == 10


@every_document
def test_a_document_is_of_a_readable_length(path: Path) -> None:
    assert 150 <= len(path.read_text("utf-8").split()) <= 350


@every_document
def test_a_document_is_made_of_paragraphs_and_lines(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n\n") >= 2
    assert text.endswith(".\n")
    assert all(len(line) <= 100 and line == line.rstrip() for line in text.splitlines())


@every_document
def test_each_sentence_stands_for_itself(path: Path) -> None:
    found = sentences(path)
    assert 9 <= len(found) <= 16
    assert len(set(found)) == len(found)
    for sentence in found:
        assert re.fullmatch(r"[A-Z0-9].*[a-z0-9][.?!]", sentence)
        assert 4 <= len(sentence.split()) <= 50


def test_no_sentence_occurs_in_two_documents() -> None:
    every = [sentence for path in DOCUMENTS for sentence in sentences(path)]
    assert len(set(every)) == len(every)


def test_the_summaries_are_of_these_documents_and_of_nothing_else() -> None:
    job = load("summarise.yaml")
    assert sorted(path for glob in job["inputs"]["files"] for path in JOBS.glob(glob)) == DOCUMENTS
    assert job["prompt"] == "{{ text }}"


@pytest.mark.parametrize("name", ["summarise.yaml", "questions.yaml", "dataset.yaml"])
def test_an_example_stays_on_this_machine_and_repeats_itself(name: str) -> None:
    job = load(name)
    assert job["base_url"] == "local"
    assert job["params"]["temperature"] == 0
    assert (JOBS / job["output"]["path"]).resolve().parent == JOBS.parent / "output"


def test_the_questions_are_several_prompts_for_several_models() -> None:
    job = load("questions.yaml")
    ids = [prompt["id"] for prompt in job["prompts"]]
    assert len(set(ids)) == len(ids) >= 3
    assert len(set(job["models"])) >= 3


def test_the_data_set_has_twenty_labelled_requests() -> None:
    rows = [json.loads(line) for line in (JOBS / "dataset.jsonl").read_text("utf-8").splitlines()]
    assert len({row["id"] for row in rows}) == len({row["prompt"] for row in rows}) == 20
    assert all(row["id"].startswith(row["metadata"]["label"]) for row in rows)
