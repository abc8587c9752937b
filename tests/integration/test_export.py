"""``promptjobs export``: results as data sets, tables and OpenAI Batch lines, for those who read them."""

from __future__ import annotations

import csv
import io
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import click
import msgspec
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from batch.app.inspect.export import Exporter, is_for_test
from batch.cli.export import command as export_command
from batch.codec import encode_result
from batch.records import Usage, Verdict
from batch.results.export.columns import ALL, DEFAULT, Columns, KnownFields
from batch.results.export.protocol import Answer, Layout
from batch.results.export.registry import format_of, names
from batch.results.export.result_columns import result_columns
from tests.support.golden_messages import check_words
from tests.support.payloads import FORMULAS
from tests.support.results_support import failed, hostile_results, succeeded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from batch.app.inspect.export_sources import Answers
    from batch.records import Result
    from tests.conftest import Command, Ended
    from tests.support.chat_server import ChatServer
    from tests.support.cli_support import Cli

ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name a river."}]


def written(form: str, *results: Result, messages: Sequence[Any] = ASKED, columns: str = ALL) -> bytes:
    """The results in a format, as one file; a table has all columns."""
    stream = io.BytesIO()
    fields = KnownFields()
    for result in results:
        fields.see_metadata(result.metadata)
        fields.of["parsed"].see(result.parsed)
    chosen = Columns(fields, "USD").chosen(columns)
    with format_of(form).writer(stream, Layout(chosen)) as write:
        for result in results:
            write(Answer(result, messages))
    return stream.getvalue()


def objects(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.splitlines()]


# Data sets


def test_messages_are_a_conversation_a_line() -> None:
    assert objects(written("messages", succeeded("a", "The Elbe."))) == [
        {"messages": [*ASKED, {"role": "assistant", "content": "The Elbe."}]}
    ]


def test_sharegpt_names_who_speaks_in_its_own_words() -> None:
    asked = [*ASKED, {"role": "assistant", "content": "Which?"}, {"role": "user", "content": "Any."}]
    assert objects(written("sharegpt", succeeded("a", "The Elbe."), messages=asked)) == [
        {
            "conversations": [
                {"from": "system", "value": "Be brief."},
                {"from": "human", "value": "Name a river."},
                {"from": "gpt", "value": "Which?"},
                {"from": "human", "value": "Any."},
                {"from": "gpt", "value": "The Elbe."},
            ]
        }
    ]


def test_completion_is_two_texts() -> None:
    parts = [
        {"role": "user", "content": [{"type": "text", "text": "Name "}, {"type": "text", "text": "one."}]}
    ]
    assert objects(written("completion", succeeded("a", "The Elbe."), messages=parts)) == [
        {"prompt": "Name one.", "completion": "The Elbe."}
    ]
    assert objects(written("completion", succeeded("a", "The Elbe."))) == [
        {"prompt": "Be brief.\n\nName a river.", "completion": "The Elbe."}
    ]


def test_a_line_end_of_unicode_ends_no_line() -> None:
    data = written("messages", succeeded("a", "x\u2028y\u0085z"))
    assert data.count(b"\n") == 1
    assert len(data.decode().splitlines()) == 1


# Tables


def rows_of_csv(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def test_csv_has_a_column_for_everything_and_a_row_for_each_result() -> None:
    one, other = rows_of_csv(written("csv", succeeded("a", 'say "hi",\r\nplease'), failed("b")))
    assert sorted(one) == sorted(column.name for column in result_columns("USD"))
    assert one["text"] == 'say "hi",\r\nplease'
    assert (one["prompt_tokens"], one["completion_tokens"], one["cost"]) == ("3", "5", "")
    assert (other["status"], other["text"], other["error_code"]) == ("failed", "", "http_500")


@pytest.mark.parametrize(("text", "cell"), FORMULAS)
def test_no_cell_starts_a_formula(text: str, cell: str) -> None:
    (row,) = rows_of_csv(written("csv", succeeded(text or "a", text)))
    assert row["text"] == cell
    assert row["id"] == (cell or "a")


@given(st.lists(hostile_results, max_size=4))
def test_every_row_of_a_csv_file_comes_back_whatever_it_holds(some: list[Result]) -> None:
    some = [msgspec.json.decode(encode_result(result), type=type(result)) for result in some]
    rows = rows_of_csv(written("csv", *some))
    assert [row["fingerprint"].lstrip("'") for row in rows] == [r.fingerprint.lstrip("'") for r in some]
    for row, result in zip(rows, some, strict=True):
        assert row["text"] in (result.text or "", f"'{result.text}")
        assert not row["text"].startswith(("=", "@", "\t", "\r"))


def test_parquet_has_the_same_types_whatever_the_rows_hold(tmp_path: Path) -> None:
    usage_free = msgspec.structs.replace(succeeded("b"), usage=None, text=None, cost=0.5)
    schemas = []
    for some in ([], [succeeded("a")], [usage_free], [failed("c"), succeeded("a")]):
        table = pyarrow.parquet.read_table(io.BytesIO(written("parquet", *some)))
        assert table.num_rows == len(some)
        schemas.append(table.schema)
    assert {name: str(schemas[0].field(name).type) for name in schemas[0].names} == {
        column.name: column.kind.replace("float64", "double") for column in result_columns("USD")
    }
    assert all(schema.equals(schemas[0]) for schema in schemas)


def test_parquet_is_written_by_groups_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.results.export.parquet.ROW_GROUP", 2)
    file = pyarrow.parquet.ParquetFile(io.BytesIO(written("parquet", *(succeeded(str(n)) for n in range(5)))))
    assert (file.num_row_groups, file.read()["id"].to_pylist()) == (3, ["0", "1", "2", "3", "4"])


def test_without_pyarrow_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (cli.folder / "out.jsonl").write_bytes(encode_result(succeeded("a")))
    ended = cli("export", "out.jsonl", "--format", "parquet", "-o", "out.parquet")
    assert ended.code == 2
    assert "pip install 'promptjobs[parquet]'" in ended.stderr
    assert not (cli.folder / "out.parquet").exists()


# OpenAI Batch


def test_a_batch_line_is_read_by_the_sdks_own_types() -> None:
    result = msgspec.structs.replace(succeeded("a", "The Elbe."), served_by="smol", reasoning="Rivers …")
    (line,) = objects(written("openai-batch", result))
    assert (line["custom_id"], line["error"], line["response"]["status_code"]) == ("a", None, 200)
    answer = ChatCompletion.model_validate(line["response"]["body"], strict=True)
    assert answer.choices[0].message.content == "The Elbe."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.model, answer.usage.total_tokens) == ("smol", 8)
    assert answer.created == 1795366800


@pytest.mark.parametrize(
    ("reason", "verdict", "said"),
    [
        ("tool_calls", Verdict.COMPLETE, "tool_calls"),
        ("eos", Verdict.COMPLETE, "eos"),
        (None, Verdict.UNVERIFIED, None),
        ("MAX_TOKENS", Verdict.LENGTH, "MAX_TOKENS"),
    ],
)
def test_a_finish_reason_is_the_one_that_the_server_sent(
    reason: str | None, verdict: Verdict, said: str | None
) -> None:
    result = msgspec.structs.replace(succeeded("a"), finish_reason=reason, verdict=verdict)
    (line,) = objects(written("openai-batch", result))
    assert line["response"]["body"]["choices"][0]["finish_reason"] == said


def test_half_a_count_is_no_usage() -> None:
    (line,) = objects(
        written("openai-batch", msgspec.structs.replace(succeeded("a"), usage=Usage(None, 5, None)))
    )
    assert ChatCompletion.model_validate(line["response"]["body"], strict=True).usage is None


def test_a_failure_has_its_error_and_the_servers_answer_if_there_was_one() -> None:
    by_http = failed("b", "bad_request", message="too long")
    assert by_http.error is not None
    by_http = msgspec.structs.replace(by_http, error=msgspec.structs.replace(by_http.error, http_status=400))
    cut, refused = objects(written("openai-batch", failed("a", "truncated"), by_http))
    assert (cut["response"], cut["error"]["code"]) == (None, "truncated")
    assert refused["response"]["status_code"] == 400
    assert refused["response"]["body"]["error"]["message"] == "too long"


def test_a_batch_file_goes_in_and_comes_out_as_openai_has_it(cli: Cli, server: ChatServer) -> None:
    asked = {f"request-{n}": f"Name river {n}." for n in range(3)}
    lines = [
        {
            "custom_id": name,
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "gpt-x", "messages": [{"role": "user", "content": text}], "max_tokens": 9},
        }
        for name, text in asked.items()
    ]
    (cli.folder / "batch.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    where = ["--base-url", f"{server.url}/v1"]
    assert cli("run", "-q", "batch.jsonl", *where).code == 0
    assert export(cli, "batch.jsonl", *where, "--format", "openai-batch").code == 0
    answers = objects((cli.folder / "exported").read_bytes())
    assert [line["custom_id"] for line in answers] == list(asked)
    for line in answers:
        assert set(line) == {"id", "custom_id", "response", "error"}
        answer = ChatCompletion.model_validate(line["response"]["body"], strict=True)
        assert answer.choices[0].message.content == f"echo: {asked[line['custom_id']]}"


# For training and for testing


@given(st.text(), st.floats(0.01, 0.5), st.floats(0.5, 0.99))
def test_a_larger_share_only_adds(request_id: str, small: float, large: float) -> None:
    assert not is_for_test(request_id, small) or is_for_test(request_id, large)


def test_the_share_is_about_what_was_asked_for() -> None:
    assert 850 < sum(is_for_test(str(n), 0.1) for n in range(10_000)) < 1150


def test_the_share_goes_to_a_file_of_its_own_and_stays_there(cli: Cli) -> None:
    def export(count: int) -> tuple[set[str], set[str]]:
        lines = [encode_result(succeeded(f"row-{number}")) for number in range(count)]
        (cli.folder / "out.jsonl").write_bytes(b"".join(lines))
        flags = ["--format", "openai-batch", "--test-share", "0.2", "-o", "set.jsonl"]
        assert cli("export", "out.jsonl", *flags).code == 0
        names = [cli.folder / f"set.{part}.jsonl" for part in ("train", "test")]
        train, test = ({line["custom_id"] for line in objects(name.read_bytes())} for name in names)
        return train, test

    train, test = export(100)
    assert len(train) + len(test) == 100
    assert 10 <= len(test) <= 30
    more_train, more_test = export(150)
    assert train < more_train
    assert test < more_test


# The command


def test_the_command_offers_every_format() -> None:
    (offered,) = [option.type for option in export_command.params if option.name == "form"]
    assert isinstance(offered, click.Choice)
    assert list(offered.choices) == names()
    assert names() == ["messages", "sharegpt", "completion", "csv", "parquet", "openai-batch"]


def run_job(cli: Cli, url: str, more: str = "") -> None:
    rows = [json.dumps({"id": f"row-{word}", "word": word}) for word in ("one", "two", "three")]
    (cli.folder / "rows.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (cli.folder / "job.yaml").write_text(
        f"provider: autonomous\nmodel: llama\nbase_url: {url}\nprompt: 'say {{{{ word }}}}'\n"
        f"inputs: {{jsonl: rows.jsonl}}\n{more}",
        encoding="utf-8",
    )
    assert cli("run", "-q", "job.yaml").code == 0


def export(cli: Cli, *arguments: str) -> Ended:
    """To a file, since standard output is not one here."""
    return cli("export", *arguments, "-o", "exported")


def conversation(word: str) -> dict[str, Any]:
    user = {"role": "user", "content": f"say {word}"}
    return {"messages": [user, {"role": "assistant", "content": f"echo: say {word}"}]}


def test_a_job_knows_what_was_asked(cli: Cli, server: ChatServer) -> None:
    run_job(cli, server.url)
    ended = export(cli, "job.yaml", "--format", "messages")
    assert ended.code == 0
    check_words("export", "three results", ended.stderr)
    assert objects((cli.folder / "exported").read_bytes()) == list(map(conversation, ["one", "two", "three"]))
    assert len(server.seen) == 3


def test_what_the_job_has_changed_or_not_yet_sent_is_left_out_and_counted(
    cli: Cli, server: ChatServer
) -> None:
    run_job(cli, server.url)
    rows = [{"id": "row-one", "word": "one"}, {"id": "row-two", "word": "2"}, {"id": "new", "word": "new"}]
    (cli.folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    ended = export(cli, "job.yaml", "--format", "messages")
    check_words("export", "stale and pending results are left out", ended.stderr)
    assert objects((cli.folder / "exported").read_bytes()) == [conversation("one")]


def test_a_label_that_was_put_right_since_is_the_job_s(cli: Cli, server: ChatServer) -> None:
    (cli.folder / "settings.yaml").write_text(f"provider: autonomous\nmodel: llama\nbase_url: {server.url}\n")
    for label in ("wrong", "right"):
        row = {"id": "a", "prompt": "one", "metadata": {"label": label}}
        (cli.folder / "job.jsonl").write_text(json.dumps(row), encoding="utf-8")
        assert cli("run", "-q", "job.jsonl", "--with", "settings.yaml").code == 0
    assert len(server.seen) == 1
    ended = export(
        cli, "job.jsonl", "--with", "settings.yaml", "--format", "csv", "--columns", "default,metadata"
    )
    assert ended.code == 0
    check_words("export", "a label that was corrected after the answer", ended.stderr)
    (cells,) = rows_of_csv((cli.folder / "exported").read_bytes())
    assert json.loads(cells["metadata"]) == {"label": "right"}
    assert cells["metadata.label"] == "right"


def test_an_output_alone_may_not_know_what_was_asked(cli: Cli, server: ChatServer) -> None:
    run_job(cli, server.url)
    ended = export(cli, "output/job.jsonl", "--format", "messages")
    assert ended.code == 2
    check_words("export", "an output without messages", ended.stderr, cli.folder)
    assert not (cli.folder / "exported").exists()
    assert not list(cli.folder.glob("*.part"))


def test_an_output_that_was_told_to_keep_its_messages_knows(cli: Cli, server: ChatServer) -> None:
    run_job(cli, server.url, "output: {include: [messages]}\n")
    assert export(cli, "output/job.jsonl", "--format", "messages").code == 0
    exported = objects((cli.folder / "exported").read_bytes())
    assert sorted(exported, key=str) == sorted(map(conversation, ["one", "two", "three"]), key=str)


def test_failures_are_left_out_and_counted_unless_they_are_asked_for(cli: Cli) -> None:
    output = cli.folder / "out.jsonl"
    output.write_bytes(b"".join(map(encode_result, [succeeded("a"), failed("b"), succeeded("c")])))
    ended = export(cli, "out.jsonl", "--format", "csv")
    check_words("export", "a failed result is left out", ended.stderr)
    assert [row["id"] for row in rows_of_csv((cli.folder / "exported").read_bytes())] == ["a", "c"]
    assert export(cli, "out.jsonl", "--format", "csv", "--failed").stderr == "3 results written to exported\n"


def test_a_superseded_line_is_not_written(cli: Cli) -> None:
    lines = [encode_result(succeeded("a", text)) for text in ("old", "new")]
    (cli.folder / "out.jsonl").write_bytes(lines[0] + b"damaged\n" + lines[1] + b'{"partial')
    assert export(cli, "out.jsonl", "--format", "csv").code == 0
    assert [row["text"] for row in rows_of_csv((cli.folder / "exported").read_bytes())] == ["new"]


def test_answers_without_text_are_no_text(cli: Cli) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    empty = msgspec.structs.replace(succeeded("a", ""), messages=ASKED)
    calling = msgspec.structs.replace(empty, id="b", tool_calls=[call])
    (cli.folder / "out.jsonl").write_bytes(b"".join(map(encode_result, [empty, calling])))
    assert "1 left out: of more or less than text" in export(cli, "out.jsonl", "--format", "messages").stderr
    (line,) = objects((cli.folder / "exported").read_bytes())
    assert line["messages"][-1] == {"role": "assistant", "content": None, "tool_calls": [call]}
    assert export(cli, "out.jsonl", "--format", "completion").stderr.startswith("0 results written")


WRONG = [
    (["out.jsonl", "--format", "csv", "-o", "out.jsonl"], 2),
    (["out.jsonl", "--format", "csv", "--test-share", "0.1"], 2),
    (["missing.jsonl", "--format", "csv", "-o", "x"], 2),
    (["out.jsonl", "--format", "csv", "-o", "no/folder/x"], 74),
    (["out.jsonl", "--format", "csv", "-o", "."], 2),
    (["out.jsonl", "--format", "csv", "-o", "new/"], 2),
    (["out.jsonl", "--format", "csv", "-o", "-", "--test-share", "0.1"], 2),
]


@pytest.mark.parametrize(("arguments", "code"), WRONG)
def test_invalid_usage_is_an_error(cli: Cli, arguments: list[str], code: int) -> None:
    (cli.folder / "out.jsonl").write_bytes(encode_result(succeeded("a")))
    ended = cli("export", *arguments)
    assert ended.code == code
    assert "Traceback" not in ended.stderr
    usage = ("Usage: ", "Try ")
    lines = [line for line in ended.stderr.splitlines() if line and not line.startswith(usage)]
    check_words("export", f"invalid: {' '.join(arguments)}", lines, cli.folder)
    assert {path.name for path in cli.folder.iterdir()} == {"out.jsonl"}


WRONG_OPTIONS = [
    (["out.jsonl", "--format", "csv", "--test-share", "1", "-o", "x"], "1.0 is not in the range"),
    (["out.jsonl", "--format", "xml"], "'xml' is not one of"),
    (["out.jsonl"], "Missing option '--format'"),
]
"""What click reports, and its words."""


@pytest.mark.parametrize(("arguments", "words"), WRONG_OPTIONS)
def test_invalid_options_are_errors(cli: Cli, arguments: list[str], words: str) -> None:
    (cli.folder / "out.jsonl").write_bytes(encode_result(succeeded("a")))
    ended = cli("export", *arguments)
    assert ended.code == 2
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert {path.name for path in cli.folder.iterdir()} == {"out.jsonl"}


@pytest.mark.anyio
@pytest.mark.parametrize("dash", [[], ["-o", "-"]])
@pytest.mark.parametrize("form", names())
async def test_every_format_goes_to_standard_output(promptjobs: Command, form: str, dash: list[str]) -> None:
    result = msgspec.structs.replace(succeeded("a", "The Elbe."), messages=ASKED)
    (promptjobs.folder / "out.jsonl").write_bytes(encode_result(result))
    ended = await anyio.run_process(
        promptjobs.arguments("export", "out.jsonl", "--format", form, *dash),
        cwd=promptjobs.folder,
        env=promptjobs.environment,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"1 result written\n")
    assert ended.stdout == written(form, result, columns=DEFAULT)
    assert {path.name for path in promptjobs.folder.iterdir()} == {"home", "out.jsonl"}


@pytest.mark.anyio
async def test_answers_do_not_go_to_a_terminal(promptjobs: Command) -> None:
    (promptjobs.folder / "out.jsonl").write_bytes(encode_result(succeeded("a", "\x1b[2J")))
    ours, theirs = os.openpty()
    try:
        ended = await anyio.run_process(
            promptjobs.arguments("export", "out.jsonl", "--format", "csv"),
            cwd=promptjobs.folder,
            env=promptjobs.environment,
            stdout=theirs,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert ended.returncode == 2
    assert b"cannot be printed on a terminal" in ended.stderr


@pytest.mark.anyio
async def test_a_closed_pipe_is_not_reported(promptjobs: Command) -> None:
    lines = encode_result(succeeded("a", "x" * 10_000))
    (promptjobs.folder / "out.jsonl").write_bytes(
        b"".join(lines.replace(b'"a"', b'"%d"' % n) for n in range(99))
    )
    command = " ".join(promptjobs.arguments("export", "out.jsonl", "--format", "csv")) + " | head -c 1"
    ended = await anyio.run_process(command, cwd=promptjobs.folder, env=promptjobs.environment, check=False)
    assert (ended.stdout, ended.stderr) == (b"i", b"")


def test_the_results_are_a_stream(tmp_path: Path) -> None:
    """One result at a time is read, and one written."""
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"".join(encode_result(succeeded(str(number))) for number in range(100)))
    exporter = Exporter("csv")
    taken: list[str] = []
    into = io.BytesIO()

    def watched(answers: Iterator[Answer]) -> Iterator[Answer]:
        for answer in answers:
            assert into.getvalue().count(b"\n") == 1 + len(taken)
            taken.append(answer.result.id)
            yield answer

    @contextmanager
    def source() -> Iterator[Answers]:
        with exporter.of_output(path) as answers:
            yield msgspec.structs.replace(answers, stream=watched(answers.stream))

    exporter.to_stream(source(), into)
    assert exporter.exported.written == len(taken) == 100


@pytest.mark.parametrize("target", ["out.jsonl", "output/job.jsonl", "job.yaml", "rows.jsonl", "link.csv"])
def test_nothing_that_is_read_is_overwritten_and_no_results_of_any_job(cli: Cli, target: str) -> None:
    (cli.folder / "out.jsonl").write_bytes(encode_result(succeeded("another job's")))
    (cli.folder / "rows.jsonl").write_text('{"id": "a"}\n')
    (cli.folder / "job.yaml").write_text(
        "provider: openai\nbase_url: http://127.0.0.1:9/v1\nmodel: m\nprompt: '{{ id }}'\n"
        "inputs: {jsonl: rows.jsonl}\n"
    )
    (cli.folder / "output").mkdir()
    (cli.folder / "output" / "job.jsonl").write_bytes(encode_result(succeeded("a")))
    (cli.folder / "link.csv").symlink_to("out.jsonl")
    before = (cli.folder / target).read_bytes()
    ended = cli("export", "job.yaml", "--format", "csv", "-o", target)
    assert (ended.code, ended.stdout) == (2, "")
    assert f"{target} " in ended.stderr
    assert (cli.folder / target).read_bytes() == before


def test_a_part_for_testing_overwrites_no_results_either(cli: Cli) -> None:
    (cli.folder / "out.test.jsonl").write_bytes(encode_result(succeeded("another job's")))
    (cli.folder / "out.jsonl").write_bytes(encode_result(succeeded("a")))
    ended = cli("export", "out.jsonl", "--format", "csv", "--test-share", "0.5", "-o", "out.jsonl")
    assert ended.code == 2
    assert "out.test.jsonl holds results" in ended.stderr
    assert not (cli.folder / "out.train.jsonl").exists()


def test_a_file_that_only_looks_like_an_unfinished_one_is_left_alone(cli: Cli) -> None:
    (cli.folder / "out.jsonl").write_bytes(encode_result(succeeded("a")))
    (cli.folder / "table.csv.part").write_text("a download")
    assert cli("export", "out.jsonl", "--format", "csv", "-o", "table.csv").code == 0
    assert (cli.folder / "table.csv.part").read_text() == "a download"
    assert sorted(path.name for path in cli.folder.glob("table*")) == ["table.csv", "table.csv.part"]


def test_only_regular_files_are_replaced_and_links_stay(cli: Cli) -> None:
    (cli.folder / "out.jsonl").write_bytes(encode_result(succeeded("a")))
    os.mkfifo(cli.folder / "fifo")
    for name in ("fifo", "."):
        ended = cli("export", "out.jsonl", "--format", "csv", "-o", name)
        assert ended.code == 2
        assert "is not a regular file" in ended.stderr
    (cli.folder / "link.csv").symlink_to("table.csv")
    assert cli("export", "out.jsonl", "--format", "csv", "-o", "link.csv").code == 0
    assert (cli.folder / "link.csv").is_symlink()
    assert (cli.folder / "table.csv").read_bytes().startswith(b"id,")
