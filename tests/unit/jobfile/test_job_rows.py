"""JSONL job files: rows as a stream, their errors, and OpenAI Batch files as they stand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from batch.errors import Diagnostic
from batch.files import MAX_BYTES
from batch.jobfile import JobFile, load
from batch.jobfile.syntax.job_rows import JobRow, job_rows
from tests.support.jobfile_support import AUTONOMOUS, diagnostics_of, write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SOMEWHERE = {"provider": "openai", "base_url": "http://h/v1", "model": "m"}
BATCH_LINE = (
    '{"custom_id": "r1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-4o-mini", '
    '"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], '
    '"max_tokens": 5, "stream": false}}\n'
)


def rows_job(folder: Path, text: str, flags: Mapping[str, object] = SOMEWHERE) -> JobFile:
    """The job of a JSONL text with settings from flags."""
    return load(write(folder, text, "rows.jsonl"), overrides=flags)


BAD_ROWS = [
    ("{", "1:2: not JSON: input data was truncated"),
    ('{"prompt": "a",}', "1:16: not JSON: trailing comma in object"),
    ('{"prompt": é}', "1:12: not JSON: invalid character"),
    ("[1]", "1:1: expected a JSON object, got a list"),
    ('{"prompt": "\\ud800"}', "1:21: not JSON: an unpaired surrogate"),
    ('{"prompt": "a", "n": 1e999}', "1:1: not JSON: number out of range"),
    ('{"a": ' * 200 + "1" + "}" * 200, "1:1: a row nested over 100 levels"),
    ("[" * 10**6, "1:1: a row nested over 100 levels"),
    ("{}", "1:1: no prompt; write `prompt` or `messages`"),
    ('{"promt": "a"}', "1:2: promt: unknown key; did you mean `prompt`?"),
    ('{"prompt": "a", "images": "x"}', "1:17: images: expected a list of paths and URLs, got text"),
    ('{"prompt": "a", "images": [1]}', "1:17: images: expected a list of paths and URLs, got a list"),
    ('{"prompt": 1}', "1:2: prompt: expected text, got a whole number"),
    ('{"prompt": ""}', "1:2: prompt: must not be empty"),
    ('{"prompt": "é", "id": true}', "1:17: id: expected text or a whole number, got true or false"),
    ('{"prompt": "a", "messages": []}', "1:17: messages: cannot be combined with `prompt`; keep one of them"),
    ('{"messages": []}', "1:2: messages: must not be empty"),
    ('{"messages": ["a"]}', "1:2: messages: expected a list of messages, got a list"),
    ('{"messages": [{"role": "user"}]}', "1:2: messages[0]: expected a `role` and a `content`"),
    (
        '{"prompt": "a", "params": {"stream": true}}',
        "1:28: params.stream: every answer is streamed; leave it out",
    ),
    ('{"prompt": "a", "model": "b\\n"}', "1:17: model: longer than a name, or with control characters"),
    ('{"custom_id": "a"}', "1:1: body: is missing"),
    (
        '{"custom_id": "a", "body": {"model": 1, "messages": [{"role": "user", "content": "x"}]}}',
        "1:29: body.model: expected text, got a whole number",
    ),
    ('{"prompt": "a", "prompt": "b"}', "1:17: prompt: duplicate key; leave one of them out"),
    (
        '{"prompt": "a \\": b", "params": {"seed": 1, "seed" : 1}}',
        "1:45: seed: duplicate key; leave one of them out",
    ),
    ('{"custom_id": "a", "body": {}}', "1:1: body.messages: expected a list of messages, got nothing"),
    (BATCH_LINE.replace("POST", "GET").strip(), "1:21: method: expected `POST`"),
    (
        BATCH_LINE.replace("chat/completions", "embeddings").strip(),
        "1:39: url: expected `/v1/chat/completions`; only chat completions are supported",
    ),
    (
        BATCH_LINE.replace("chat/completions", "responses").strip(),
        (
            "1:39: url: expected `/v1/chat/completions`; "
            "write `messages` for /v1/chat/completions in place of `input`"
        ),
    ),
    ('{"messages": [{"role": "user", "content": null}]}', "1:2: messages[0]: `content` is null"),
    ('{"messages": [{"role": "assistant", "content": null}]}', "1:2: messages[0]: `content` is null"),
    (
        '{"messages": [{"role": "user", "tool_calls": [{}]}]}',
        "1:2: messages[0]: expected a `role` and a `content`",
    ),
    (
        BATCH_LINE.replace('"stream": false', '"n": 2').strip(),
        "1:197: body.n: a request has one answer; for several, write `samples: 2` in the job",
    ),
]


@pytest.mark.parametrize(("line", "said"), BAD_ROWS, ids=[case[1][:50] for case in BAD_ROWS])
def test_a_bad_row_is_named_with_its_column(line: str, said: str, tmp_path: Path) -> None:
    good = '{"prompt": "good"}\n'
    assert diagnostics_of(lambda: rows_job(tmp_path, good + "\n" + line + "\n" + good)) == [
        "rows.jsonl:3" + said.removeprefix("1")
    ]


@pytest.mark.parametrize(
    "line",
    [
        '{"prompt": "http://a: b"}',
        r'{"prompt": "\"prompt\": \"again\": 1"}',
        '{"prompt": "a", "metadata": {"a": [{"a": 1}, {"a": 2}], "b": {"a": 3}}}',
        '{"prompt": "a", "metadata": {"a" :\t1, "A": 2}}',
    ],
)
def test_a_key_may_stand_in_several_objects_and_in_text(line: str, tmp_path: Path) -> None:
    assert rows_job(tmp_path, line + "\n").models


def test_all_errors_of_all_rows_and_settings_come_at_once_but_not_thousands(tmp_path: Path) -> None:
    text = '{"id": 1.5, "prompt": 2}\n' * 80
    said = diagnostics_of(lambda: rows_job(tmp_path, text, {**SOMEWHERE, "concurrency": 0}))
    assert said[0] == "rows.jsonl:1:2: id: expected text or a whole number, got a number"
    assert said[1] == "rows.jsonl:1:13: prompt: expected text, got a whole number"
    assert len(said) == 101
    assert said[-1] == "rows.jsonl: and 61 more errors"


def test_bytes_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"prompt": "ok"}\n{"prompt": "caf\xe9"}\n')
    assert diagnostics_of(lambda: load(path, overrides=SOMEWHERE)) == [
        "rows.jsonl:2:16: not UTF-8 (invalid continuation byte); save the file as UTF-8"
    ]
    path.write_bytes('{"prompt": "ok"}'.encode("utf-16"))
    assert diagnostics_of(lambda: load(path, overrides=SOMEWHERE)) == [
        "rows.jsonl:1:1: is in UTF-16; save the file as UTF-8"
    ]


def test_a_row_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"prompt": "' + b"x" * (3 * MAX_BYTES) + b'"}\n{"prompt": "b"}\n')
    first, second = job_rows(path)
    assert isinstance(first, Diagnostic)
    assert first.what == "a row larger than 16 MiB"
    assert isinstance(second, JobRow)
    assert second.line == 2


def test_blank_lines_and_a_byte_order_mark_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b'\xef\xbb\xbf\n \r\n{"id": 7, "prompt": "a"}\r\n\n{"prompt": "b"}')
    rows = list(job_rows(tmp_path / "rows.jsonl"))
    assert [(row.line, row.id) for row in rows if isinstance(row, JobRow)] == [(3, "7"), (5, None)]


def test_a_row_is_taken_literally_and_gets_the_settings_system_message(tmp_path: Path) -> None:
    lines = [
        {"prompt": "{{ 7 * 7 }}", "params": {"seed": 1}, "metadata": {"k": [1]}},
        {"prompt": "a", "system": "own"},
        {
            "messages": [{"role": "system", "content": "mine"}, {"role": "user", "content": "a"}],
            "system": "x",
        },
    ]
    path = write(tmp_path, "".join(json.dumps(line) + "\n" for line in lines), "rows.jsonl")
    first, second, third = (row for row in job_rows(path, "default") if isinstance(row, JobRow))
    assert first.messages == (
        {"role": "system", "content": "default"},
        {"role": "user", "content": "{{ 7 * 7 }}"},
    )
    assert (first.params, first.metadata) == ({"seed": 1}, {"k": [1]})
    assert [message["content"] for message in second.messages] == ["own", "a"]
    assert [message["content"] for message in third.messages] == ["mine", "a"]


def test_an_openai_batch_file_runs_as_it_stands(tmp_path: Path) -> None:
    job = rows_job(tmp_path, BATCH_LINE, {"base_url": "http://h/v1"})
    assert [(model.id, model.provider, model.base_url) for model in job.models] == [
        ("gpt-4o-mini", "openai", "http://h/v1")
    ]
    assert job.rows is not None
    assert list(job_rows(job.rows, "not for these")) == [
        JobRow(
            line=1,
            id="r1",
            model="gpt-4o-mini",
            messages=({"role": "user", "content": [{"type": "text", "text": "Hi"}]},),
            params={"max_tokens": 5},
            metadata={},
            batch=True,
        )
    ]


@pytest.mark.parametrize(
    "url",
    [
        '"/chat/completions"',
        '"/v1/chat/completions/"',
        '"https://api.openai.com/v1/chat/completions"',
        '"/openai/deployments/m/chat/completions?api-version=2024-10-21"',
    ],
)
def test_the_calls_of_azure_and_whole_urls_are_chat_completions(url: str, tmp_path: Path) -> None:
    job = rows_job(tmp_path, BATCH_LINE.replace('"/v1/chat/completions"', url))
    assert [row.id for row in job_rows(tmp_path / "rows.jsonl") if isinstance(row, JobRow)] == ["r1"]
    assert [model.id for model in job.models] == ["gpt-4o-mini"]


def test_a_batch_line_may_leave_out_its_method_and_number_its_requests(tmp_path: Path) -> None:
    line = '{"custom_id": 7, "body": {"messages": [{"role": "user", "content": "x"}], "top_k": 1, "zz": {}}}'
    rows_job(tmp_path, line)
    (row,) = job_rows(tmp_path / "rows.jsonl")
    assert isinstance(row, JobRow)
    assert (row.id, row.params) == ("7", {"top_k": 1, "zz": {}})


CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "assistant", "content": None, "refusal": "No."},
        {"role": "assistant", "audio": {"id": "audio_1"}},
        {"role": "tool", "tool_call_id": "1", "content": "42"},
        {"role": "function", "name": "f", "content": "42"},
        {"role": "developer", "content": "Be brief."},
    ],
)
@pytest.mark.parametrize("form", ["batch", "own"])
def test_messages_of_tools_are_passed_on(form: str, message: dict[str, object], tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "Hi"}, message]
    line = {"custom_id": "a", "body": {"messages": messages}} if form == "batch" else {"messages": messages}
    rows_job(tmp_path, json.dumps(line))
    (row,) = job_rows(tmp_path / "rows.jsonl")
    assert isinstance(row, JobRow)
    assert row.messages == tuple(messages)


def test_an_openai_batch_file_is_for_openai(tmp_path: Path) -> None:
    assert diagnostics_of(
        lambda: rows_job(tmp_path, BATCH_LINE, {"base_url": "local", "provider": "autonomous"})
    ) == [
        "rows.jsonl:1:1: model: AutonomousAI has no model 'gpt-4o-mini'; it has " + AUTONOMOUS,
        "rows.jsonl:1:1: a line of an OpenAI Batch file needs `provider: openai`",
    ]


def test_the_models_are_those_that_the_rows_use(tmp_path: Path) -> None:
    text = '{"prompt": "a", "model": "x"}\n{"prompt": "b", "model": "m"}\n{"prompt": "c", "model": "x"}\n'
    assert [model.id for model in rows_job(tmp_path, text).models] == ["m", "x"]
    assert [model.id for model in rows_job(tmp_path, '{"prompt": "a", "model": "x"}\n').models] == ["x"]


def test_a_row_without_a_model_needs_one_from_the_settings(tmp_path: Path) -> None:
    flags = {"provider": "openai", "base_url": "http://h/v1"}
    assert diagnostics_of(lambda: rows_job(tmp_path, '{"prompt": "a"}\n', flags)) == [
        "rows.jsonl:1:1: no model; name one in the row, in the settings or with `--model`"
    ]


def test_a_rows_model_must_be_one_not_several(tmp_path: Path) -> None:
    models = [{"id": "a", "model": "m"}, {"id": "b", "model": "m"}]
    flags = {"provider": "openai", "base_url": "http://h/v1", "models": models}
    assert diagnostics_of(lambda: rows_job(tmp_path, '{"prompt": "p", "model": "m"}\n', flags)) == [
        "rows.jsonl:1:1: model: is ambiguous; write one of `a`, `b`"
    ]
    assert [model.id for model in rows_job(tmp_path, '{"prompt": "p", "model": "b"}\n', flags).models] == [
        "b"
    ]


def test_settings_come_from_a_file_of_their_own(tmp_path: Path) -> None:
    rows = write(tmp_path, '{"prompt": "a"}\n', "data/rows.jsonl")
    settings = write(
        tmp_path, "provider: autonomous\nmodel: llama\nsystem: s\noutput: {path: r.jsonl}\n", "settings.yaml"
    )
    job = load(rows, settings=settings)
    assert (job.name, job.system, job.rows, job.root) == ("rows", "s", rows, rows.parent)
    assert job.output == tmp_path / "r.jsonl"


def test_settings_bring_neither_prompts_nor_inputs(tmp_path: Path) -> None:
    rows = write(tmp_path, '{"prompt": "a"}\n', "rows.jsonl")
    settings = write(tmp_path, "provider: autonomous\nmodel: llama\nprompt: p\ninputs: {jsonl: x.jsonl}\n")
    assert diagnostics_of(lambda: load(rows, settings=settings)) == [
        "3:1: prompt: not allowed for a JSONL job file; leave it out",
        "4:1: inputs: not allowed for a JSONL job file; leave it out",
    ]


def test_settings_are_for_jsonl_only(tmp_path: Path) -> None:
    path = write(tmp_path, "provider: autonomous\nmodel: llama\nprompt: p\n")
    assert diagnostics_of(lambda: load(path, settings=path)) == [
        "settings in a file of their own are for JSONL job files; move them into job.yaml"
    ]


def test_a_file_without_rows_is_an_error(tmp_path: Path) -> None:
    assert diagnostics_of(lambda: rows_job(tmp_path, "\n\n")) == ["rows.jsonl: has no rows"]
    assert diagnostics_of(lambda: load(tmp_path / "none.jsonl", overrides=SOMEWHERE)) == [
        "none.jsonl: no such file"
    ]
