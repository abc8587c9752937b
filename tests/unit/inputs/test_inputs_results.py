"""``inputs.results`` and ``group_by``: the answers of one job are the rows of the next."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from batch.codec import encode_result
from batch.inputs import check
from batch.inputs.readers.results import natural
from tests.support.inputs_support import by_id, source
from tests.support.jobfile_support import HEAD, diagnostics_of, write
from tests.support.results_support import failed, succeeded

if TYPE_CHECKING:
    from pathlib import Path

    from batch.records import Result

EACH = "{{ id }}|{{ text }}|{{ metadata }}"
ITEMS = "{{ path }}:{% for item in items %} {{ item.text }}{% endfor %}"


def _answer(request_id: str, text: str = "", **metadata: Any) -> Result:
    return replace(succeeded(request_id, text or f"text of {request_id}"), metadata=metadata)


def _chunk(path: str, number: int, of: int, text: str = "") -> Result:
    return _answer(f"{path}/{number}", text or f"{path}-{number}", path=path, chunk=number, chunks=of)


def _job(folder: Path, results: list[Result], more: str = "", prompt: str = EACH) -> Path:
    (folder / "map.jsonl").write_bytes(b"".join(map(encode_result, results)))
    return write(folder, HEAD + f"prompt: {json.dumps(prompt)}\ninputs: {{results: map.jsonl{more}}}\n")


def _texts(path: Path) -> dict[str, str]:
    return {name: request.messages[0]["content"] for name, request in by_id(source(path)).items()}


def test_a_success_is_a_row_with_its_text_and_its_metadata(tmp_path: Path) -> None:
    path = _job(tmp_path, [_answer("a", "one", tone="dry"), replace(_answer("b"), parsed={"score": 3})])
    assert _texts(path) == {"a": "a|one|{'tone': 'dry'}", "b": "b|text of b|{}"}
    both = _job(
        tmp_path, [replace(_answer("a", tone="dry"), parsed=[7])], prompt="{{ tone }} {{ parsed[0] }}"
    )
    assert _texts(both) == {"a": "dry 7"}
    assert by_id(source(both))["a"].metadata == {"tone": "dry"}


def test_answers_are_never_templates(tmp_path: Path) -> None:
    assert _texts(_job(tmp_path, [_answer("a", "{{ 7 * 7 }}{% raw %}")], prompt="{{ text }}")) == {
        "a": "{{ 7 * 7 }}{% raw %}"
    }


def test_the_latest_line_of_an_id_counts(tmp_path: Path) -> None:
    results = [failed("a"), _answer("b", "old"), _answer("a", "new"), _answer("b", "newer")]
    assert _texts(_job(tmp_path, results, prompt="{{ text }}")) == {"a": "new", "b": "newer"}


def test_failures_are_left_out_and_a_notice_says_how_many(tmp_path: Path) -> None:
    requests = source(_job(tmp_path, [_answer("a"), failed("b"), failed("c")]))
    assert list(by_id(requests)) == ["a"]
    assert requests.notices == [
        (
            f"{tmp_path}/map.jsonl has 2 failed results, which are left out; "
            "`run` or `retry` the job that writes it"
        )
    ]


# Groups.


def test_a_group_is_one_row_with_its_items_in_natural_order(tmp_path: Path) -> None:
    chunks = [
        _chunk("b.txt", 1, 1),
        *(_chunk("a.txt", number, 11) for number in (10, 2, 11, 1, *range(3, 10))),
    ]
    path = _job(tmp_path, chunks, ", group_by: path", ITEMS)
    assert _texts(path) == {
        "a.txt": "a.txt: " + " ".join(f"a.txt-{number}" for number in range(1, 12)),
        "b.txt": "b.txt: b.txt-1",
    }
    assert by_id(source(path))["a.txt"].metadata == {"path": "a.txt"}


def test_another_order_of_completion_changes_no_fingerprint(tmp_path: Path) -> None:
    chunks = [_chunk("a.txt", number, 12) for number in range(1, 13)]
    one = by_id(source(_job(tmp_path, chunks, ", group_by: path", ITEMS)))
    other = by_id(source(_job(tmp_path, chunks[::-1], ", group_by: path", ITEMS)))
    assert one == other


def test_groups_by_several_fields_also_inside_others(tmp_path: Path) -> None:
    results = [
        _answer(f"{path}/{tone}/{number}", path=path, matrix={"tone": tone}, sample=number)
        for path in ("a", "b")
        for tone in ("dry", "warm")
        for number in (1, 2)
    ]
    prompt = "{{ path }} {{ tone }} {{ items | length }}"
    assert _texts(_job(tmp_path, results, ", group_by: [path, matrix.tone]", prompt)) == {
        "a/dry": "a dry 2",
        "a/warm": "a warm 2",
        "b/dry": "b dry 2",
        "b/warm": "b warm 2",
    }


def test_a_document_that_has_grown_is_whole_though_its_first_chunks_were_not_asked_again(
    tmp_path: Path,
) -> None:
    old = [replace(_chunk("a.txt", n, 2), completed_at="2026-11-22T17:00:00Z") for n in (1, 2)]
    new = [replace(_chunk("a.txt", n, 3), completed_at="2026-11-23T17:00:00Z") for n in (3,)]
    whole = {"a.txt": "a.txt: a.txt-1 a.txt-2 a.txt-3"}
    assert _texts(_job(tmp_path, [*old, *new], ", group_by: path", ITEMS)) == whole
    assert _texts(_job(tmp_path, [*new, *old], ", group_by: path", ITEMS)) == whole, "in the job's order, too"


def test_a_group_may_hold_several_documents_each_of_its_own_length(tmp_path: Path) -> None:
    results = [
        replace(result, metadata={**result.metadata, "shelf": "s"})
        for result in (_chunk("a.txt", 1, 1), _chunk("b.txt", 1, 2), _chunk("b.txt", 2, 2))
    ]
    prompt = "{{ items|map(attribute='text')|join(' ') }}"
    path = _job(tmp_path, results, ", group_by: shelf", prompt)
    assert _texts(path) == {"s": "a.txt-1 b.txt-1 b.txt-2"}
    path = _job(tmp_path, results[:2], ", group_by: shelf", prompt)
    assert diagnostics_of(lambda: check(source(path))) == [
        "map.jsonl:1:1: s: b.txt: no result for chunk 2 of 2; `run` or `retry` the job that writes it"
    ]


def test_groups_that_only_read_alike_are_not_made_one(tmp_path: Path) -> None:
    results = [_answer("1", path="a/b", tone="c"), _answer("2", path="a", tone="b/c")]
    path = _job(tmp_path, results, ", group_by: [path, tone]", "{{ path }} {{ items | length }}")
    assert diagnostics_of(lambda: check(source(path))) == [
        'map.jsonl:2:1: duplicate id "a/b/c"; the first is on line 1; ids must be unique'
    ]


def test_what_a_row_calls_a_chunk_need_be_no_number(tmp_path: Path) -> None:
    results = [
        _answer("a", path="x", chunk=["n"], chunks=1),
        _answer("b", path="y", chunk=1, chunks={"n": 1}),
        _answer("c", path="z", chunk=True, chunks=True),
    ]
    path = _job(tmp_path, results, ", group_by: path", ITEMS)
    assert diagnostics_of(lambda: check(source(path))) == [
        "map.jsonl:1:1: x: no result for chunk 1 of 1; `run` or `retry` the job that writes it"
    ]


@pytest.mark.parametrize(
    ("results", "what"),
    [
        pytest.param(
            [
                _chunk("a.txt", 1, 2),
                replace(failed("a.txt/2"), metadata={"path": "a.txt", "chunk": 2, "chunks": 2}),
            ],
            'map.jsonl:1:1: a.txt: "a.txt/2" (http_500) has failed; `run` or `retry` the job that writes it',
            id="a chunk has failed",
        ),
        pytest.param(
            [_chunk("a.txt", 1, 3), _chunk("a.txt", 3, 3)],
            "map.jsonl:1:1: a.txt: no result for chunk 2 of 3; `run` or `retry` the job that writes it",
            id="a chunk is not there yet",
        ),
        pytest.param(
            [
                _chunk("a.txt", 1, 2),
                _chunk("a.txt", 2, 2),
                _answer("a.txt/1/long", path="a.txt", chunk=1, chunks=2),
            ],
            "map.jsonl:1:1: a.txt: no result for chunk 2 of 2; `run` or `retry` the job that writes it",
            id="a chunk lacks one of its answers",
        ),
        pytest.param(
            [_chunk("a.txt", 2, 2), _chunk("a.txt", 1, 1)],
            (
                "map.jsonl:2:1: a.txt: chunks of different splits; "
                "`--prune` removes old ones; `run` or `retry` the job that writes it"
            ),
            id="the document has become shorter since",
        ),
        pytest.param(
            [_answer("a.txt", path="a.txt"), _chunk("a.txt", 1, 1)],
            (
                "map.jsonl:1:1: a.txt: chunks of different splits; "
                "`--prune` removes old ones; `run` or `retry` the job that writes it"
            ),
            id="the document was not cut before",
        ),
        pytest.param(
            [_answer("a", chunk=1)],
            "map.jsonl:1:1: no `path` in its metadata to group by; it has chunk",
            id="no such field",
        ),
    ],
)
def test_what_is_not_whole_is_never_reduced(results: list[Result], what: str, tmp_path: Path) -> None:
    path = _job(tmp_path, [*results, _chunk("whole.txt", 1, 1)], ", group_by: path", ITEMS)
    assert diagnostics_of(lambda: check(source(path))) == [what]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "5:19: inputs.results: map.jsonl: no such file; run the job that writes it first"),
        (b"", "map.jsonl: has no results; run the job that writes it first"),
        (b'{"id": 1}\n', "map.jsonl:1:1: not a result; `inputs.results` reads the output of another job"),
        (
            b"\n" + encode_result(succeeded("a")) + encode_result(succeeded("b"))[:40],
            "map.jsonl:3:1: not a result; `inputs.results` reads the output of another job",
        ),
    ],
)
def test_what_is_no_file_of_results_is_named(content: bytes | None, what: str, tmp_path: Path) -> None:
    path = _job(tmp_path, [])
    (tmp_path / "map.jsonl").unlink()
    if content is not None:
        (tmp_path / "map.jsonl").write_bytes(content)
    assert diagnostics_of(lambda: check(source(path))) == [what]


def test_results_cannot_be_written_over_themselves(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + "prompt: a\ninputs: {results: r.jsonl}\noutput: {path: r.jsonl}\n")
    assert diagnostics_of(lambda: source(path)) == [
        "6:16: output.path: the output would overwrite a file of the job; name another file"
    ]


def test_natural_order() -> None:
    names = ["a.txt/10", "a.txt/9", "b", "a.txt/2/x", "a.txt/2", "2", "10", ""]
    assert sorted(names, key=natural) == ["", "2", "10", "a.txt/2", "a.txt/2/x", "a.txt/9", "a.txt/10", "b"]
    long = "9" * 5000  # more digits than Python makes a number of
    assert sorted([f"{long}1", long, "010", "9", "00"], key=natural) == ["00", "9", "010", long, f"{long}1"]
