"""``inputs.split`` in a job: ids, variables and metadata of chunks, of documents as of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.inputs import check
from tests.support.inputs_support import by_id, marks, source
from tests.support.jobfile_support import HEAD, diagnostics_of, write

if TYPE_CHECKING:
    from pathlib import Path

SENTENCES = "One two three. Four five six. Seven eight nine."
PROMPT = "prompt: '{{ chunk }}/{{ chunks }} {{ text }}'\n"


def _job(folder: Path, inputs: str) -> Path:
    return write(folder, HEAD + PROMPT + f"inputs: {{{inputs}}}\n")


def _texts(path: Path) -> dict[str, str]:
    return {name: request.messages[0]["content"] for name, request in by_id(source(path)).items()}


def test_a_document_becomes_chunks_that_know_their_place(tmp_path: Path) -> None:
    write(tmp_path, SENTENCES, "d/a.txt")
    write(tmp_path, "Short.", "d/b.txt")
    path = _job(tmp_path, "files: d/*.txt, split: {tokens: 12, overlap: 6}")
    assert _texts(path) == {
        "a.txt/1": "1/2 One two three. Four five six. ",
        "a.txt/2": "2/2 Four five six. Seven eight nine.",
        "b.txt/1": "1/1 Short.",
    }
    assert [request.metadata for request in source(path).requests()] == [
        {"path": "d/a.txt", "chunk": 1, "chunks": 2},
        {"path": "d/a.txt", "chunk": 2, "chunks": 2},
        {"path": "d/b.txt", "chunk": 1, "chunks": 1},
    ]


def test_a_text_that_grows_leaves_its_first_chunks_alone(tmp_path: Path) -> None:
    write(tmp_path, "First sentence here. Second sentence here. ", "a.txt")
    path = write(tmp_path, HEAD + "prompt: '{{ text }}'\ninputs: {files: a.txt, split: {tokens: 10}}\n")
    before = marks(source(path))
    write(tmp_path, "First sentence here. Second sentence here. Third sentence here.", "a.txt")
    after = marks(source(path))
    assert list(before) == ["a.txt/1", "a.txt/2"]
    assert before.items() < after.items()


def test_a_row_is_split_by_its_column_text(tmp_path: Path) -> None:
    write(tmp_path, f"id,text\nr1,{SENTENCES}\n", "rows.csv")
    path = _job(tmp_path, "csv: rows.csv, split: {tokens: 12}")
    assert list(_texts(path)) == ["r1/1", "r1/2"]
    assert by_id(source(path))["r1/2"].metadata == {"row": "r1", "chunk": 2, "chunks": 2}


def test_chunks_of_a_row_without_an_id_are_named_by_their_content(tmp_path: Path) -> None:
    write(tmp_path, f"text\n{SENTENCES}\n", "rows.csv")
    requests = by_id(source(_job(tmp_path, "csv: rows.csv, split: {tokens: 12}")))
    assert [len(name) for name in requests] == [32, 32]


def test_a_row_without_a_text_is_bad(tmp_path: Path) -> None:
    write(tmp_path, '{"text": 1}\n{"title": "x"}\n', "rows.jsonl")
    path = _job(tmp_path, "jsonl: rows.jsonl, split: {tokens: 12}")
    assert diagnostics_of(lambda: check(source(path))) == [
        "rows.jsonl:1:1: inputs.split: no text to split: it needs a column `text`",
        "rows.jsonl:2:1: inputs.split: no text to split: it needs a column `text`",
    ]
