"""Jobs of every shape, whose ids and fingerprints must never change; see ``make_identity_golden``.

A shape is what the job file says and the files beside it. Rows that are bad have no fingerprint here: theirs
is made from the words of an error message.
"""

from __future__ import annotations

import base64
import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from msgspec import Struct
from pyarrow.parquet import write_table

from batch.inputs import JobSource
from batch.inputs.bad_rows import NO_TARGET
from batch.jobfile import load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OPENAI = {"provider": "openai", "base_url": "http://h/v1"}
AUTONOMOUS = {"provider": "autonomous"}
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
DOCUMENTS: dict[str, str | bytes] = {
    "documents/a.txt": "one",
    "documents/b.md": "# two\n\nSecond.",
    "documents/sub/c.txt": "drei\r\nvier",
    "documents/sub/ü n.txt": "fünf",
    "documents/latin.txt": "caf\xe9".encode("latin-1"),
    "documents/utf16.txt": "sechs".encode("utf-16"),
}
TABLE: dict[str, str | bytes] = {"rows.csv": 'id,text,n\na,one,1\nb,"two, quoted",2\nc/d,"three\nlines",3\n'}
NAMELESS: dict[str, str | bytes] = {"rows.csv": "text;n\none;1\ntwo;2\none;1\none;3\none;1\n"}
ROWS: dict[str, str | bytes] = {
    "rows.jsonl": '{"id": "r1", "text": "x"}\n\n{"id": 2, "text": "y", "list": [1, 2.0, null]}\n'
    '{"id": "r/3", "text": "z"}\n'
}
LONG: dict[str, str | bytes] = {
    "documents/long.txt": "\n\n".join(f"Paragraph {n} says that {n} follows {n - 1}." for n in range(40)),
    "documents/short.txt": "Short.",
}
BATCH: dict[str, str | bytes] = {
    "job.jsonl": '{"custom_id": "q1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m",'
    ' "messages": [{"role": "user", "content": "Hi"}], "temperature": 0.0, "max_tokens": 5}}\n'
    '{"custom_id": "q/2", "body": {"messages": [{"role": "system", "content": "S"},'
    ' {"role": "user", "content": [{"type": "text", "text": "Hi"}]}], "stream": true}}\n'
}
OWN_LINES: dict[str, str | bytes] = {
    "job.jsonl": '{"id": "a", "prompt": "x"}\n{"id": "b", "prompt": "x", "model": "n"}\n'
    '{"prompt": "x", "model": "m"}\n{"prompt": "x", "model": "m"}\n'
    '{"id": 7, "messages": [{"role": "user", "content": "y"}], "params": {"seed": 3}, "metadata": {"k": 1}}\n'
    '{"id": "s", "prompt": "z", "system": "Own.", "model": "n"}\n'
}
FORM = {
    "type": "json_schema",
    "json_schema": {"name": "f", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}},
}
TWO_PROMPTS = [{"id": "p", "prompt": "P {{ text }}"}, {"id": "q", "prompt": "Q {{ text }}"}]
ALL = {"files": ["documents/**/*.txt", "documents/*.md"]}


class Shape(Struct, frozen=True):
    """A job: what its file says; the ``files`` beside it; the name of the job file, and flags."""

    says: Mapping[str, Any]
    files: Mapping[str, str | bytes] = {}
    name: str = "job.yaml"
    flags: Mapping[str, object] = {}
    identities: Mapping[str, Mapping[str, str]] = {}


def _openai(files: Mapping[str, str | bytes] | None = None, **says: Any) -> Shape:
    job = {**OPENAI, "model": "m", "prompt": "Sum up: {{ text }}", **says}
    return Shape({key: value for key, value in job.items() if value is not None}, files or {})


def _lines(files: Mapping[str, str | bytes], **flags: Any) -> Shape:
    return Shape({}, files, "job.jsonl", {**OPENAI, **flags})


def _result(name: str, text: str, **metadata: Any) -> str:
    timings = {"queued": 0.0, "first_byte": 0.1, "total": 0.2}
    line = {
        "schema_version": 1,
        "id": name,
        "fingerprint": "f" * 32,
        "status": "succeeded",
        "text": text,
        "verdict": "complete",
        "finish_reason": "stop",
        "error": None,
        "partial_text": None,
        "reasoning": None,
        "tool_calls": None,
        "refusal": None,
        "parsed": None,
        "model": "m",
        "served_by": None,
        "usage": None,
        "cost": None,
        "attempts": 1,
        "timings": timings,
        "completed_at": "2026-01-01T00:00:00Z",
        "metadata": metadata,
    }
    return json.dumps(line) + "\n"


RESULTS: dict[str, str | bytes] = {
    "other.jsonl": _result("d/2", "Two.", path="d", chunk=2, chunks=2, matrix={"tone": "dry"})
    + _result("d/1", "One.", path="d", chunk=1, chunks=2, matrix={"tone": "dry"})
    + _result("e/1", "Eins.", path="e", chunk=1, chunks=1, matrix={"tone": "warm"})
}

SHAPES: dict[str, Shape] = {
    # Prompts alone.
    "one prompt": _openai(prompt="Say hi."),
    "one prompt, system": _openai(prompt="Say hi.", system="Be brief."),
    "one prompt, two models": _openai(prompt="Hi", model=None, models=["m", "org/n"]),
    "messages": _openai(
        prompt=None, messages=[{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
    ),
    "prompts with ids": _openai(
        prompt=None, prompts=[{"id": "p", "prompt": "a"}, {"id": "q/1", "prompt": "b"}]
    ),
    "prompts without ids": _openai(prompt=None, prompts=[{"prompt": "a"}, {"prompt": "b"}]),
    "a lone prompt with an id": _openai(prompt=None, prompts=[{"id": "only", "prompt": "a"}]),
    "prompts with params": _openai(
        prompt=None,
        prompts=[{"prompt": "a", "params": {"seed": 1}}, {"prompt": "a", "params": {"seed": 2}}],
        params={"temperature": 0.0, "seed": 9},
    ),
    "prompts with messages": _openai(
        prompt=None,
        prompts=[
            {"id": "m", "messages": [{"role": "user", "content": "U"}]},
            {"id": "s", "system": "S", "prompt": "x"},
        ],
    ),
    # Params, forms, samples, matrix.
    "params": _openai(
        prompt="x", params={"temperature": 1.0, "top_p": 0.5, "stop": ["a", "b"], "max_tokens": 10}
    ),
    "response_format": _openai(prompt="x", response_format=FORM),
    "samples": _openai(prompt="x", samples=3),
    "samples with a seed": _openai(prompt="x", samples=3, params={"seed": 7}),
    "matrix alone": _openai(
        prompt="{{ tone }} {{ n }}", matrix={"tone": ["dry", "a/b"], "n": [1, 2.5, True]}
    ),
    "matrix, include": _openai(
        prompt="{{ tone or '' }}{{ n or '' }}",
        matrix={
            "tone": ["dry", "warm"],
            "n": [1, 2],
            "exclude": [{"tone": "dry", "n": 2}],
            "include": [{"tone": "odd", "n": 9}],
        },
    ),
    "matrix of long values": _openai(
        prompt="{{ v }}", matrix={"v": ["x" * 61, ["l", 1], {"k": 2}, "line\nbreak"]}
    ),
    "matrix that differs in one key": _openai(
        prompt="{{ a }}{{ b }}", matrix={"a": ["same"], "b": ["1", "2"]}
    ),
    # Documents.
    "documents": _openai(DOCUMENTS, inputs=ALL),
    "documents, two prompts, two models, samples": _openai(
        DOCUMENTS, inputs=ALL, prompt=None, prompts=TWO_PROMPTS, model=None, models=["m", "n"], samples=2
    ),
    "documents by name": _openai(DOCUMENTS, inputs={"files": ["documents/sub/c.txt", "documents/a.txt"]}),
    "documents, matrix": _openai(
        DOCUMENTS, inputs=ALL, prompt="{{ tone }} {{ text }}", matrix={"tone": ["x", "y"]}
    ),
    "documents, split": _openai(
        LONG, inputs={"files": "documents/*.txt", "split": {"tokens": 60, "overlap": 10}}
    ),
    "documents, all variables": _openai(
        DOCUMENTS, inputs=ALL, prompt="{{ path }} {{ name }} {{ stem }} {{ text }}"
    ),
    "documents, some bad": _openai(
        {**DOCUMENTS, "documents/bad.txt": b"\x00\xff"}, inputs={**ALL, "on_bad_row": "skip"}
    ),
    # Tables.
    "csv": _openai(TABLE, inputs={"csv": "rows.csv"}),
    "csv, id_field": _openai(TABLE, inputs={"csv": "rows.csv", "id_field": "n"}),
    "csv without ids": _openai(NAMELESS, inputs={"csv": "rows.csv"}),
    "csv without ids, two prompts, two models": _openai(
        NAMELESS, inputs={"csv": "rows.csv"}, prompt=None, prompts=TWO_PROMPTS, model=None, models=["m", "n"]
    ),
    "csv without ids, twins": _openai(
        NAMELESS,
        inputs={"csv": "rows.csv"},
        model=None,
        models=[{"id": "a", "model": "m"}, {"id": "b", "model": "m"}],
    ),
    "csv in Windows-1252": _openai(
        {"rows.csv": "id;text\na;caf\xe9\n".encode("cp1252")}, inputs={"csv": "rows.csv"}
    ),
    "csv in UTF-16 with tabs": _openai(
        {"rows.csv": "id\ttext\na\tü\n".encode("utf-16")}, inputs={"csv": "rows.csv"}
    ),
    "csv, bad rows": _openai(
        {"rows.csv": 'id,text\na,one\nb\nc,three\nc,again\n,five\n"d"x,six\ne,seven\n'},
        inputs={"csv": "rows.csv", "id_field": "id", "on_bad_row": "skip"},
    ),
    "csv, rows that fill no prompt": _openai(
        {"rows.csv": "id,n\na,1\nb,0\nc,2\n"},
        inputs={"csv": "rows.csv", "on_bad_row": "skip"},
        prompt=None,
        prompts=[{"id": "p", "prompt": "{{ 1 // (n | int) }}"}, {"id": "q", "prompt": "{{ n }}"}],
        model=None,
        models=["m", "n"],
    ),
    "csv, split": _openai(
        {"rows.csv": "id,text\na," + "Word by word. " * 60 + "\nb,short\n"},
        inputs={"csv": "rows.csv", "split": {"tokens": 40}},
    ),
    "jsonl": _openai(ROWS, inputs={"jsonl": "rows.jsonl"}),
    "jsonl, numbers and lists": _openai(
        ROWS, inputs={"jsonl": "rows.jsonl"}, prompt="{{ text }} {{ list is defined and list }}"
    ),
    "jsonl, models with slashes": _openai(
        ROWS,
        inputs={"jsonl": "rows.jsonl"},
        model=None,
        models=["meta/llama", "qwen/q", {"id": "x", "model": "meta/llama"}],
    ),
    "jsonl, endings of each other": _openai(
        ROWS, inputs={"jsonl": "rows.jsonl"}, model=None, models=["llama", "meta/llama"]
    ),
    "jsonl, images": _openai(
        {"rows.jsonl": '{"id": "r", "file": "i.png"}\n', "i.png": PNG},
        inputs={"jsonl": "rows.jsonl"},
        prompt=None,
        prompts=[{"prompt": "What is it?", "images": ["{{ file }}", "https://h/i.png"]}],
    ),
    "parquet": _openai(
        inputs={"parquet": "rows.parquet"}, prompt="{{ text }} {{ n }} {{ day or 'None' }} {{ list }}"
    ),
    "parquet without ids": _openai(inputs={"parquet": "rows.parquet", "id_field": "n"}, prompt="{{ text }}"),
    "results": _openai(RESULTS, inputs={"results": "other.jsonl"}),
    "results, group_by": _openai(
        RESULTS,
        inputs={"results": "other.jsonl", "group_by": ["path"]},
        prompt="{% for i in items %}{{ i.text }}{% endfor %}",
    ),
    "results, group_by two": _openai(
        RESULTS,
        inputs={"results": "other.jsonl", "group_by": ["path", "matrix.tone"]},
        prompt="{{ tone }}{% for i in items %}{{ i.id }}{% endfor %}",
    ),
    # Everything at once.
    "prompts, models, matrix, samples": _openai(
        TABLE,
        inputs={"csv": "rows.csv"},
        prompt=None,
        prompts=TWO_PROMPTS,
        model=None,
        models=["m", "org/n"],
        matrix={"tone": ["dry", "warm"]},
        samples=2,
        params={"seed": 1},
        system="S {{ tone }}",
    ),
    # JSONL jobs.
    "a jsonl job": _lines(OWN_LINES, models=["m", "n"]),
    "a jsonl job of one model": _lines(
        {"job.jsonl": '{"id": "a", "prompt": "x"}\n{"prompt": "y"}\n'}, models=["m"]
    ),
    "a jsonl job with a system prompt": _lines(OWN_LINES, models=["m", "n"], system="All."),
    "a jsonl job with params": _lines(OWN_LINES, models=["m", "n"], params={"temperature": 0, "seed": 5}),
    "a jsonl job whose ids look composed": _lines(
        {"job.jsonl": '{"id": "a", "prompt": "x"}\n{"id": "a/m", "prompt": "y"}\n'}, models=["m", "n"]
    ),
    "an OpenAI Batch file": _lines(BATCH, models=["m"]),
    # Dialects and names of models.
    "autonomous": Shape({**AUTONOMOUS, "models": ["llama", "qwen_coder", "summary"], "prompt": "x"}),
    "autonomous by aliases": Shape({**AUTONOMOUS, "models": ["llama-3.3-70b", "hermes-3"], "prompt": "x"}),
    "both dialects": Shape(
        {**OPENAI, "models": ["m", {"id": "a", "provider": "autonomous", "model": "llama"}], "prompt": "x"}
    ),
    "models with params": _openai(
        prompt="x",
        model=None,
        models=[
            {"id": "cold", "model": "m", "params": {"temperature": 0}},
            {"id": "hot", "model": "m", "params": {"temperature": 2}},
        ],
    ),
    "embedded weights": Shape(
        {"provider": "openai", "base_url": "local", "model": "m", "prompt": "x"},
        identities={"m": {"engine": "llama", "weights": "0" * 64}},
    ),
}


def identities(folder: Path, shape: Shape) -> list[list[str | None]]:
    """Make the job in an empty folder; return the id and fingerprint of each request, in order."""
    for name, content in shape.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if "parquet" in shape.says.get("inputs", {}):
        _write_parquet(folder / "rows.parquet")
    path = folder / shape.name
    if shape.says:
        path.write_text(json.dumps(shape.says), encoding="utf-8")
    source = JobSource(load(path, overrides=shape.flags), shape.identities)
    return [
        [request.id, None if request.target == NO_TARGET else request.fingerprint]
        for request in source.requests()
    ]


def _write_parquet(path: Path) -> None:
    days = [date(2024, 2, 29), None, date(1999, 12, 31)]
    columns = {"id": ["a", "b", "c"], "text": ["one", "two", "drei"], "n": [1, 2, 3], "day": days}
    write_table(pa.table({**columns, "list": [[1, 2], [], [3]]}), path)
