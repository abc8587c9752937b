"""The columns of exported tables: those of results, inputs, the matrix, metadata and structured answers."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from msgspec.structs import replace
from pyarrow import parquet as pq

from batch.codec import decode_result, encode_result
from tests.support.golden_messages import check_words
from tests.support.results_support import succeeded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch.records import Result
    from tests.support.chat_server import ChatServer
    from tests.support.cli_support import Cli

JOB = """\
name: job
provider: openai
base_url: {url}/v1
model: {{model: m, price: {{input: 2, output: 4}}}}
system: Answer in JSON.
prompt: "{{{{ mood }}}}: {{{{ text }}}}"
inputs: {{jsonl: rows.jsonl, keep: [label]}}
matrix: {{mood: [glad, sad]}}
response_format:
  type: json_schema
  json_schema:
    name: answer
    schema:
      type: object
      properties:
        words: {{type: integer}}
        share: {{type: number}}
        note: {{type: [string, "null"]}}
        tags: {{type: array}}
      required: [words]
"""

ROWS: list[dict[str, Any]] = [
    {"id": "a", "text": "one", "label": "x", "stars": 4},
    {"id": "b", "text": "two", "label": None, "stars": 3.5},
    {"id": "c", "text": "three", "label": "y", "stars": None, "more": {"deep": [1]}},
]

DEFAULT = [
    "id",
    "status",
    "matrix.mood",
    "input.id",
    "input.text",
    "input.label",
    "input.stars",
    "input.more",
    "prompt",
    "text",
    "parsed.words",
    "parsed.share",
    "parsed.note",
    "parsed.tags",
    "verdict",
    "model",
    "prompt_tokens",
    "completion_tokens",
    "cost",
    "currency",
]


def answer(prompt: str) -> str:
    return json.dumps({"words": len(prompt.split()), "share": 1, "tags": ["a"]})


@pytest.fixture
def job(cli: Cli, server: ChatServer) -> Cli:
    """A job with three rows and two moods, not yet run."""
    server.answer = answer
    (cli.folder / "job.yaml").write_text(JOB.format(url=server.url), encoding="utf-8")
    write_rows(cli.folder, ROWS)
    return cli


def write_rows(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def run(cli: Cli, *flags: str, code: int = 0) -> None:
    assert cli("run", "-q", "job.yaml", *flags).code == code


def table(cli: Cli, *arguments: str) -> list[dict[str, str]]:
    """What an export as CSV has."""
    ended = cli("export", *arguments, "--format", "csv", "-o", "table.csv")
    assert ended.code == 0, ended.stderr
    return list(
        csv.DictReader(io.StringIO((cli.folder / "table.csv").read_text(encoding="utf-8"), newline=""))
    )


def parquet(cli: Cli, *arguments: str) -> Any:
    """What an export as Parquet has."""
    ended = cli("export", *arguments, "--format", "parquet", "-o", "table.parquet")
    assert ended.code == 0, ended.stderr
    return pq.read_table(cli.folder / "table.parquet")


# Of a job


def test_a_job_has_its_inputs_its_matrix_and_its_answers_as_columns(job: Cli) -> None:
    run(job)
    rows = table(job, "job.yaml")
    assert list(rows[0]) == DEFAULT
    assert [row["id"] for row in rows] == ["a/glad", "a/sad", "b/glad", "b/sad", "c/glad", "c/sad"]
    assert rows[0] == {
        "id": "a/glad",
        "status": "succeeded",
        "matrix.mood": "glad",
        "input.id": "a",
        "input.text": "one",
        "input.label": "x",
        "input.stars": "4.0",
        "input.more": "",
        "prompt": "Answer in JSON.\n\nglad: one",
        "text": '{"words": 2, "share": 1, "tags": ["a"]}',
        "parsed.words": "2",
        "parsed.share": "1.0",
        "parsed.note": "",
        "parsed.tags": '["a"]',
        "verdict": "complete",
        "model": "m",
        "prompt_tokens": "3",
        "completion_tokens": "6",
        "cost": "0.00003",
        "currency": "USD",
    }
    assert [rows[index]["input.stars"] for index in (2, 4)] == ["3.5", ""]
    assert rows[4]["input.more"] == '{"deep":[1]}'


def test_csv_and_parquet_have_the_same_columns_of_the_types_that_the_job_declares(job: Cli) -> None:
    run(job)
    found = parquet(job, "job.yaml")
    assert found.schema.names == DEFAULT == list(table(job, "job.yaml")[0])
    types = {name: str(found.schema.field(name).type) for name in DEFAULT}
    assert {name: kind for name, kind in types.items() if kind != "string"} == {
        "input.stars": "double",
        "parsed.words": "int64",
        "parsed.share": "double",
        "prompt_tokens": "int64",
        "completion_tokens": "int64",
        "cost": "double",
    }
    assert found["input.stars"].to_pylist() == [4.0, 4.0, 3.5, 3.5, None, None]
    assert found["parsed.words"].to_pylist() == [2] * 6
    assert found["cost"].to_pylist() == [0.00003] * 6


def test_two_exports_of_one_job_can_be_concatenated_however_far_it_is(job: Cli) -> None:
    tables, headers = [], []
    for flags, code in ((["--limit", "0"], 8), (["--only", "a/*"], 8), ([], 0)):
        run(job, *flags, code=code)
        tables.append(parquet(job, "job.yaml"))
        job("export", "job.yaml", "--format", "csv", "-o", "table.csv")
        headers.append((job.folder / "table.csv").read_text(encoding="utf-8").splitlines()[0])
    assert [each.num_rows for each in tables] == [0, 2, 6]
    assert pa.concat_tables(tables).num_rows == 8
    assert len(set(headers)) == 1


def test_a_row_that_has_changed_gives_its_old_answer_no_new_values(job: Cli) -> None:
    run(job)
    write_rows(job.folder, [ROWS[0] | {"text": "another"}, *ROWS[1:]])
    rows = table(job, "job.yaml")
    assert [row["id"] for row in rows] == ["b/glad", "b/sad", "c/glad", "c/sad"]
    ended = job("export", "job.yaml", "--format", "csv", "-o", "table.csv")
    assert ended.stderr == "4 results written to table.csv\n  2 left out: stale\n"


def test_a_column_that_no_prompt_uses_is_the_current_one_and_a_kept_one_is_reported(job: Cli) -> None:
    run(job)
    write_rows(job.folder, [ROWS[0] | {"label": "corrected"}, *ROWS[1:]])
    ended = job("export", "job.yaml", "--format", "csv", "-o", "table.csv")
    check_words("export", "kept columns that have changed", ended.stderr)
    ended = job("export", "job.yaml", "--format", "messages", "-o", "set.jsonl")
    assert ended.stderr == "6 results written to set.jsonl\n"
    assert [row["input.label"] for row in table(job, "job.yaml")] == ["corrected"] * 2 + [""] * 2 + ["y"] * 2


def test_failed_results_have_their_errors(job: Cli, server: ChatServer) -> None:
    server.refused = "too long"
    run(job, "--limit", "1", code=8)
    rows = table(job, "job.yaml", "--failed")
    assert list(rows[0]) == [*DEFAULT, "error_code", "error_message"]
    assert (rows[0]["status"], rows[0]["error_code"], rows[0]["input.text"]) == (
        "failed",
        "bad_request",
        "one",
    )


FIRST = "The first part of a text.\n\n"


def test_documents_have_their_variables(cli: Cli, server: ChatServer) -> None:
    (cli.folder / "a.txt").write_text(f"{FIRST}Second part.", encoding="utf-8")
    (cli.folder / "job.yaml").write_text(
        f"provider: openai\nbase_url: {server.url}/v1\nmodel: m\nprompt: '{{{{ text }}}}'\nsamples: 2\n"
        "inputs: {files: '*.txt', split: {tokens: 10}}\n",
        encoding="utf-8",
    )
    run(cli)
    found = parquet(cli, "job.yaml")
    names = ["input.text", "input.path", "input.name", "input.stem", "input.chunk", "input.chunks"]
    assert found.schema.names[2:9] == [*names, "metadata.sample"]
    first = {name: found[name][0].as_py() for name in (*names, "metadata.sample", "prompt")}
    assert first == {
        "input.text": FIRST,
        "input.path": "a.txt",
        "input.name": "a.txt",
        "input.stem": "a",
        "input.chunk": 1,
        "input.chunks": 2,
        "metadata.sample": 1,
        "prompt": FIRST,
    }


def test_rows_of_a_jsonl_job_have_their_metadata(cli: Cli, server: ChatServer) -> None:
    (cli.folder / "settings.yaml").write_text(f"provider: openai\nbase_url: {server.url}/v1\nmodel: m\n")
    rows = [{"id": "a", "prompt": "one", "metadata": {"label": "x", "n": 1}}, {"id": "b", "prompt": "two"}]
    (cli.folder / "job.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert cli("run", "-q", "job.jsonl", "--with", "settings.yaml").code == 0
    found = parquet(cli, "job.jsonl", "--with", "settings.yaml", "--columns", "id,metadata.*,prompt")
    assert found.to_pylist() == [
        {"id": "a", "metadata.label": "x", "metadata.n": 1, "prompt": "one"},
        {"id": "b", "metadata.label": None, "metadata.n": None, "prompt": "two"},
    ]


def test_columns_of_parquet_inputs_are_exported_whatever_they_hold(cli: Cli, server: ChatServer) -> None:
    data = {
        "text": ["one", "two"],
        "at": pa.array([1, None], pa.timestamp("ns")),
        "price": pa.array(["1.10", "2.00"]).cast(pa.decimal128(5, 2)),
        "bytes": pa.array([b"\xff", b"ok"]),
        "ratio": [float("nan"), 0.5],
        "flag": [True, None],
        "pairs": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
    }
    pq.write_table(pa.table(data), cli.folder / "rows.parquet")
    (cli.folder / "job.yaml").write_text(
        f"provider: openai\nbase_url: {server.url}/v1\nmodel: m\nprompt: '{{{{ text }}}}'\n"
        "inputs: {parquet: rows.parquet}\n",
        encoding="utf-8",
    )
    run(cli)
    assert parquet(cli, "job.yaml", "--columns", "input.*").to_pylist() == [
        {
            "input.text": "one",
            "input.at": "1970-01-01T00:00:00.000000001",
            "input.price": "1.10",
            "input.bytes": "/w==",
            "input.ratio": None,
            "input.flag": True,
            "input.pairs": '[["k",1]]',
        },
        {
            "input.text": "two",
            "input.at": None,
            "input.price": "2.00",
            "input.bytes": "ok",
            "input.ratio": 0.5,
            "input.flag": None,
            "input.pairs": "[]",
        },
    ]


# Of an output


def write(folder: Path, *results: Result) -> None:
    (folder / "out.jsonl").write_bytes(b"".join(map(encode_result, results)))


def test_an_output_has_the_metadata_and_the_structured_answers_of_its_lines(job: Cli) -> None:
    run(job)
    rows = table(job, "output/job.jsonl")
    assert [name for name in rows[0] if "." in name] == [
        "matrix.mood",
        "metadata.label",
        "parsed.words",
        "parsed.share",
        "parsed.tags",
    ]
    assert rows[0]["metadata.label"] == "x"
    assert rows[0]["currency"] == "USD"
    assert rows[0]["prompt"] == ""


def test_an_output_that_holds_its_messages_has_prompts(cli: Cli) -> None:
    parts = [{"role": "user", "content": [{"type": "text", "text": "one"}]}]
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]
    write(cli.folder, *(replace(succeeded(str(n)), messages=m) for n, m in enumerate([parts, picture, None])))
    assert [row["prompt"] for row in table(cli, "out.jsonl")] == ["one", "", ""]
    found = table(cli, "out.jsonl", "--columns", "messages")
    assert [json.loads(row["messages"] or "null") for row in found] == [parts, picture, None]


def test_the_type_of_a_field_is_that_of_all_lines(cli: Cli) -> None:
    answers = [{"n": 1, "s": None}, {"n": 2.5, "s": None, "z": True}, {"n": None}]
    write(cli.folder, *(replace(succeeded(str(n)), parsed=value) for n, value in enumerate(answers)))
    found = parquet(cli, "out.jsonl", "--columns", "parsed.*")
    assert {name: str(found.schema.field(name).type) for name in found.schema.names} == {
        "parsed.n": "double",
        "parsed.s": "string",
        "parsed.z": "bool",
    }
    assert [row["parsed.n"] for row in table(cli, "out.jsonl")] == ["1.0", "2.5", ""]
    assert [row["parsed.z"] for row in table(cli, "out.jsonl")] == ["", "true", ""]


def test_an_answer_that_is_no_object_is_in_one_column(cli: Cli) -> None:
    write(cli.folder, replace(succeeded("a"), parsed=[1, 2]), replace(succeeded("b"), parsed={"n": 1}))
    rows = table(cli, "out.jsonl")
    assert [row["parsed"] for row in rows] == ["[1,2]", '{"n":1}']
    assert [row["parsed.n"] for row in rows] == ["", "1"]


def test_a_matrix_that_is_no_mapping_is_metadata(cli: Cli) -> None:
    write(cli.folder, replace(succeeded("a"), metadata={"matrix": "film", "=x": "=1"}))
    (row,) = table(cli, "out.jsonl")
    assert (row["metadata.matrix"], row["metadata.=x"]) == ("film", "'=1")


# Chosen


CHOICES = [
    ("text,id", ["text", "id"]),
    (" id , id,text", ["id", "text"]),
    ("id\ntext\r\n", ["id", "text"]),
    ("parsed.*", ["parsed.n", "parsed.a,b"]),
    ('id,"parsed.a,b"', ["id", "parsed.a,b"]),
    ("default,reasoning", ["id", "status", "prompt", "text", "parsed.n", "parsed.a,b"]),
]


@pytest.mark.parametrize(("names", "expected"), CHOICES)
def test_columns_are_chosen_and_ordered_by_name(cli: Cli, names: str, expected: list[str]) -> None:
    write(cli.folder, replace(succeeded("a"), parsed={"n": 1, "a,b": 2}))
    found = list(table(cli, "out.jsonl", "--columns", names)[0])
    assert found[: len(expected)] == expected
    assert found[-1] == ("reasoning" if "reasoning" in names else expected[-1])


def test_all_columns_begin_with_the_default_ones(cli: Cli) -> None:
    write(cli.folder, succeeded("a"))
    default, every = (list(table(cli, "out.jsonl", "--columns", names)[0]) for names in ("default", "all"))
    assert every[: len(default)] == default
    assert {"messages", "reasoning", "error_code", "fingerprint", "metadata"} <= set(every)


WRONG = ["titel", "label", "parsed.x*", "reasonning", "id,,text", ""]


@pytest.mark.parametrize("names", WRONG)
def test_an_unknown_column_is_an_error_that_lists_what_there_is(cli: Cli, names: str) -> None:
    write(cli.folder, replace(succeeded("a"), metadata={"label": 1, "title": 2}))
    ended = cli("export", "out.jsonl", "--format", "csv", "--columns", names, "-o", "x")
    assert ended.code == 2
    check_words("export", f"columns: {names}", ended.stderr)
    assert not (cli.folder / "x").exists()


OTHER_FORMATS = [
    ("messages", ["--columns", "id"], "--columns is for --format csv and parquet, not for messages"),
    ("csv", ["--include-reasoning"], "--include-reasoning is for --format messages, not for csv"),
    ("openai-batch", ["--columns", "id"], "--columns is for --format csv and parquet, not for openai-batch"),
]


@pytest.mark.parametrize(("form", "flags", "words"), OTHER_FORMATS)
def test_a_flag_of_another_format_is_an_error(cli: Cli, form: str, flags: list[str], words: str) -> None:
    write(cli.folder, succeeded("a"))
    ended = cli("export", "out.jsonl", "--format", form, *flags, "-o", "x")
    assert (ended.code, ended.stderr) == (2, f"promptjobs: {words}\n")


def test_objects_of_no_common_form_are_no_columns_unless_they_are_named(cli: Cli) -> None:
    lines = [replace(succeeded(str(n)), metadata={f"key {n}": n}) for n in range(1001)]
    write(cli.folder, *lines)
    ended = cli("export", "out.jsonl", "--format", "csv", "-o", "x")
    check_words("export", "more fields than columns", ended.stderr)
    assert ended.code == 2
    assert table(cli, "out.jsonl", "--columns", "id,metadata.key 7")[7] == {"id": "7", "metadata.key 7": "7"}


def test_the_parts_for_training_and_testing_have_the_same_columns(cli: Cli) -> None:
    write(cli.folder, *(replace(succeeded(str(n)), parsed={f"k{n % 7}": n}) for n in range(40)))
    flags = ["--format", "parquet", "--test-share", "0.2", "-o", "set.parquet"]
    assert cli("export", "out.jsonl", *flags).code == 0
    train, test = (pq.read_table(cli.folder / f"set.{part}.parquet") for part in ("train", "test"))
    assert train.schema.equals(test.schema)
    assert train.num_rows + test.num_rows == 40


def test_a_row_group_is_written_once_its_texts_are_large(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.results.export.parquet.ROW_GROUP_SIZE", 1000)
    write(cli.folder, *(succeeded(str(n), "x" * 400) for n in range(6)))
    cli("export", "out.jsonl", "--format", "parquet", "--columns", "text", "-o", "table.parquet")
    file = pq.ParquetFile(cli.folder / "table.parquet")
    assert (file.num_row_groups, file.metadata.num_rows) == (2, 6)


# Conversations


CALL = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
ASKED = [{"role": "user", "content": "Name a river."}]


def last_messages(cli: Cli, *flags: str) -> list[dict[str, Any]]:
    assert cli("export", "out.jsonl", "--format", "messages", *flags, "-o", "set.jsonl").code == 0
    lines = (cli.folder / "set.jsonl").read_bytes().splitlines()
    return [json.loads(line)["messages"][-1] for line in lines]


def test_reasoning_is_included_where_that_is_asked_for_and_every_answer_has_the_key(cli: Cli) -> None:
    write(
        cli.folder,
        replace(succeeded("a", "The Elbe."), messages=ASKED),
        replace(succeeded("b", "The Spree."), messages=ASKED, reasoning="Berlin …"),
    )
    assert last_messages(cli) == [
        {"role": "assistant", "content": "The Elbe."},
        {"role": "assistant", "content": "The Spree."},
    ]
    assert last_messages(cli, "--include-reasoning") == [
        {"role": "assistant", "content": "The Elbe.", "reasoning_content": ""},
        {"role": "assistant", "content": "The Spree.", "reasoning_content": "Berlin …"},
    ]


def test_every_answer_has_the_key_of_tool_calls_if_one_calls_tools(cli: Cli) -> None:
    plain = replace(succeeded("a", "The Elbe."), messages=ASKED)
    write(cli.folder, plain, replace(succeeded("b", ""), messages=ASKED, tool_calls=CALL))
    assert last_messages(cli) == [
        {"role": "assistant", "content": "The Elbe.", "tool_calls": None},
        {"role": "assistant", "content": None, "tool_calls": CALL},
    ]


def test_kept_columns_are_in_the_lines(job: Cli) -> None:
    run(job)
    lines = map(decode_result, (job.folder / "output/job.jsonl").read_bytes().splitlines())
    kept = {line.id: line.metadata for line in lines}
    assert kept["a/glad"] == {"label": "x", "matrix": {"mood": "glad"}}
    assert kept["b/sad"] == {"label": None, "matrix": {"mood": "sad"}}
