"""Broken job files: every error is reported, with its place. The golden messages have the words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batch.errors import JobFileError
from batch.jobfile import load
from tests.support.golden_messages import check_words
from tests.support.jobfile_support import HEAD, diagnostics_of, write

if TYPE_CHECKING:
    from batch.errors import Diagnostic

ONE_ERROR = [
    # Not YAML, or not one plain mapping.
    ("", "0:0"),
    ("just text\n", "1:1"),
    ("- a\n- b\n", "1:1"),
    (
        HEAD + "prompt: Answer: yes\n",
        "4:15",
    ),
    (
        HEAD + "prompt: x\nparams:\n\tseed: 7\n",
        "6:1",
    ),
    (
        HEAD + "prompt: 'open\n",
        "4:9",
    ),
    ("name: a\n---\nname: b\n", "2:1"),
    (
        HEAD + "prompt: {{ text }}\n",
        "4:9",
    ),
    (HEAD + "prompt: a\n1: x\n", "5:1"),
    (
        HEAD + "prompt: a\nname: x\nname: y\n",
        "6:1 name",
    ),
    (
        HEAD + "prompt: a\nparams:\n  seed: 1\n  seed: 2\n",
        "7:3 params.seed",
    ),
    (
        HEAD + "prompt: !!python/object:os.system x\n",
        "4:9",
    ),
    (HEAD + "prompt: *nowhere\n", "4:9"),
    (
        HEAD + "params: &a {b: *a}\nprompt: x\n",
        "4:16",
    ),
    (
        HEAD + "prompt: a\nparams: {top_p: .nan}\n",
        "5:17 params.top_p",
    ),
    (HEAD + "prompt: !include secrets.txt\n", "4:9"),
    (
        HEAD + "prompt: a\nx-picture: !!binary aGk=\n",
        "5:12",
    ),
    (
        HEAD + "prompt: a\nx-day: !!timestamp 2026-11-22\n",
        "5:8",
    ),
    (HEAD + "prompt: a\nnull: x\n", "5:1"),
    (HEAD + "prompt: a\n? [a, b]\n: x\n", "5:3"),
    (HEAD + "prompt: a\n<<: text\n", "5:5"),
    (
        HEAD + "prompt: a\nparams: {a: {b: 1, b: 2}}\n",
        "5:20 params.a.b",
    ),
    # What YAML 1.1 would have made something else of: text is text.
    ("provider: no\nmodel: m\nprompt: a\n", "1:11 provider"),
    (HEAD + "prompt: a\nconcurrency: 014\n", "5:14 concurrency"),
    (HEAD + "prompt: a\nconcurrency: 1_000\n", "5:14 concurrency"),
    (HEAD + "prompt: a\nconcurrency: yes\n", "5:14 concurrency"),
    (
        HEAD + "prompt: a\nadaptive: no\n",
        "5:11 adaptive",
    ),
    (HEAD + "prompt: a\nadaptive: 1\n", "5:11 adaptive"),
    (HEAD + "prompt: a\nconcurrency: 8.5\n", "5:14 concurrency"),
    (HEAD + "prompt: true\n", "4:9 prompt"),
    (HEAD + "prompt: 7\n", "4:9 prompt"),
    (
        HEAD + "prompt: a\ntimeouts: {idle: 1:30}\n",
        "5:18 timeouts.idle",
    ),
    # Keys and types.
    (
        HEAD + "prompt: a\nparmas: {}\n",
        "5:1 parmas",
    ),
    (
        HEAD + "prompt: a\ntemperature: 0\n",
        "5:1 temperature",
    ),
    (
        HEAD + "prompt: a\nretries: {max_attempt: 3}\n",
        "5:11 retries.max_attempt",
    ),
    (HEAD + "prompt: a\nsamples: 0\n", "5:10 samples"),
    (
        HEAD + "prompt: a\nmatrix: {tone: formal}\n",
        "5:16 matrix.tone",
    ),
    (
        HEAD + "prompt: a\nmatrix: {tone: []}\n",
        "5:16 matrix.tone",
    ),
    (
        HEAD + "prompt: a\nmatrix: {}\n",
        "5:1 matrix",
    ),
    (
        HEAD + "prompt: a\nmatrix:\n  tone: [a, b]\n  exclude: [{tone: a}, {tone: b}]\n",
        "5:1 matrix",
    ),
    (
        HEAD + "prompt: a\nmatrix:\n  tone: [a, b]\n  exclude: [{tune: a}]\n",
        "7:14 matrix.exclude[0].tune",
    ),
    (
        HEAD + "prompt: a\nmatrix:\n  my tone: [a, b]\n",
        '6:3 matrix."my tone"',
    ),
    (
        HEAD + "prompt: a\nmatrix:\n  größe/Größe\u202e: [a, b]\n",
        '6:3 matrix."größe/Größe\\u202e"',
    ),
    (
        HEAD + "prompt: a\nmatrix: {tone: [a, b, a]}\n",
        "5:23 matrix.tone[2]",
    ),
    (
        HEAD + "prompt: a\nmatrix: {a: &v [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], b: *v, c: *v, d: *v}\n",
        ("5:1 matrix"),
    ),
    (
        HEAD + "prompt: a\ninputs:\n  excel: rows.xlsx\n",
        "6:3 inputs.excel",
        "5:1 inputs",
    ),
    (
        HEAD + "prompt: a\ninputs: {files: a.txt, csv: b.csv, split: {tokens: 9}}\n",
        "5:24 inputs.csv",
        "5:52 inputs.split.tokens",
    ),
    (
        HEAD + "prompt: a\ninputs: {csv: a.csv, group_by: x, split: {tokens: 50, overlap: 50}}\n",
        "5:22 inputs.group_by",
        "5:35 inputs.split",
        "5:64 inputs.split.overlap",
    ),
    (
        HEAD + "prompt: a\ninputs: {results: r.jsonl, id_field: x}\n",
        "5:28 inputs.id_field",
    ),
    (
        HEAD + "prompt: a\nconcurrency: '8'\n",
        "5:14 concurrency",
    ),
    (HEAD + "prompt: a\nconcurrency: 0\n", "5:14 concurrency"),
    (HEAD + "prompt: a\nconcurrency: 10001\n", "5:14 concurrency"),
    (HEAD + "prompt:\n  - a\n", "5:3 prompt"),
    (
        HEAD + "prompt: a\ntimeouts:\n  idle: 2 minutes\n",
        "6:9 timeouts.idle",
    ),
    (
        HEAD + "prompt: a\ntimeouts: {connect: 0s}\n",
        "5:21 timeouts.connect",
    ),
    (
        HEAD + "prompt: a\nretries: {base: 2m, cap: 60}\n",
        "5:17 retries.base",
    ),
    (
        HEAD + "messages:\n  - {role: usr, content: a}\n",
        "5:12 messages[0].role",
    ),
    (HEAD + "messages:\n  - role: user\n", "5:5 messages[0].content"),
    (
        HEAD + "prompts: [Name a river., 5]\n",
        "4:26 prompts[1]",
    ),
    (
        HEAD + "prompts:\n  - Name a river.\n  - Name {{ a\n  - prompt: Name a river.\n",
        "6:10 prompts[1]",
        "7:5 prompts[2]",
    ),
    (
        HEAD + "messages:\n  - Name a river.\n",
        "5:5 messages[0]",
    ),
    (
        HEAD + "prompt: a\ninputs: documents/*.txt\noutput: results.jsonl\ntimeouts: 30s\nretries: 3\n",
        ("5:9 inputs"),
        "6:9 output",
        "7:11 timeouts",
        "8:10 retries",
    ),
    (HEAD + "messages: []\n", "4:11 messages"),
    # What is asked.
    (HEAD, "1:1"),
    (
        HEAD + "prompt: a\nprompts: [{prompt: b}]\n",
        "5:1 prompts",
    ),
    (
        HEAD + "prompts:\n  - {id: a, prompt: x}\n  - {id: a, prompt: y}\n",
        "6:5 prompts[1]",
    ),
    (
        HEAD + "prompts:\n  - prompt: x\n  - prompt: x\n",
        "6:5 prompts[1]",
    ),
    (
        HEAD + "prompts:\n  - id: a\n",
        "5:5 prompts[0]",
    ),
    (
        HEAD + "prompt: |\n  First line.\n  {{ text\n",
        "6:3 prompt",
    ),
    (
        HEAD + "prompt: '{{ text | sumarise }}'\n",
        "4:10 prompt",
    ),
    (
        HEAD + "prompt: \"{% include 'secrets' %}\"\n",
        "4:10 prompt",
    ),
    (
        HEAD + "prompt: |\n  Write about\n  {{ subjects|random }}\n",
        "6:15 prompt",
    ),
    (
        HEAD + "prompt: a\nparams: {stream: false}\n",
        "5:10 params.stream",
    ),
    (
        HEAD + "prompt: a\nparams: {n: 4}\n",
        "5:10 params.n",
    ),
    # Where it goes.
    (
        "model: m\nprompt: a\n",
        "1:1 provider",
    ),
    (
        "provider: openia\nmodel: m\nprompt: a\n",
        "1:11 provider",
    ),
    (
        "provider: openai\nmodel: m\nprompt: a\n",
        "1:1 base_url",
    ),
    ("provider: autonomous\nprompt: a\n", "1:1"),
    (
        HEAD + "models: [m, n]\nprompt: a\n",
        "4:1 models",
    ),
    (
        "provider: autonomous\nmodels: [llama, llama]\nprompt: a\n",
        "2:17 models[1]",
    ),
    (
        "provider: autonomous\nmodels: [llama, gpt]\nprompt: a\n",
        "2:17 models[1]",
    ),
    (
        "provider: openai\nbase_url: localhost:8000\nmodel: m\nprompt: a\n",
        "2:11 base_url",
    ),
    (
        HEAD + "prompt: a\nengine: llama\n",
        "5:1 engine",
    ),
    (
        "provider: openai\nbase_url: local\nengine: lama\nmodel: m\nprompt: a\n",
        "3:1 engine",
    ),
    (
        "provider: openai\nbase_url: local\nengine: none.gguf\nmodel: m\nprompt: a\n",
        "3:1 engine",
    ),
    # Secrets.
    (
        HEAD + "prompt: a\napi_key: sk-hidden\n",
        "5:1 api_key",
    ),
    (
        HEAD + "prompt: a\napi_key_env: sk-hidden\n",
        "5:14 api_key_env",
    ),
    (
        HEAD + "prompt: a\nheaders:\n  Authorization: Bearer sk-hidden\n",
        "6:3 headers.Authorization",
    ),
    (
        HEAD + "prompt: a\nproxy: http://me:hidden@proxy:3128\n",
        "5:8 proxy",
    ),
    (
        "provider: openai\nmodel: {model: m, base_url: http://a/v1, base_urls: [http://b/v1]}\nprompt: a\n",
        "2:42 model.base_urls",
    ),
    (
        "provider: openai\nmodel: {model: m, base_urls: [http://a/, http://b/, http://a]}\nprompt: a\n",
        "2:53 model.base_urls[2]",
    ),
    (
        "provider: openai\nmodel: {model: m, base_urls: [local]}\nprompt: a\n",
        ("2:31 model.base_urls[0]"),
    ),
    (
        "provider: openai\nmodel: {model: m, base_urls: ['https://sk-hidden@host/v1']}\nprompt: a\n",
        "2:31 model.base_urls[0]",
    ),
    (
        "provider: openai\nmodel: {model: m, base_urls: []}\nprompt: a\n",
        "2:30 model.base_urls",
    ),
    (
        "provider: autonomous\nbase_url: local\nendpoint_scope: worker\nmodel: llama\nprompt: a\n",
        "3:1 endpoint_scope",
    ),
    (
        "provider: autonomous\nmodel: {model: llama, base_url: local, endpoint_scope: worker}\nprompt: a\n",
        "2:40 model.endpoint_scope",
    ),
    (
        HEAD + "prompt: a\nendpoint_scope: node\n",
        "5:17 endpoint_scope",
    ),
    (
        HEAD + "prompt: a\nbase_urls: [http://a/v1]\n",
        "5:1 base_urls",
    ),
    (
        "provider: openai\nbase_url: https://sk-hidden@host/v1\nmodel: m\nprompt: a\n",
        "2:11 base_url",
    ),
    (
        "provider: openai\nbase_url: https://host/v1?key=hidden\nmodel: m\nprompt: a\n",
        "2:11 base_url",
    ),
    (
        "provider: openai\nbase_url: https://host/v1#x\nmodel: m\nprompt: a\n",
        "2:11 base_url",
    ),
    (
        "provider: openai\nbase_url: https://host/v1/chat/completions/?v=1\nmodel: m\nprompt: a\n",
        "2:11 base_url",
    ),
    (
        "provider: openai\nbase_url: https://host/v1/completions\nmodel: m\nprompt: a\n",
        "2:11 base_url",
    ),
]


def place_of(diagnostic: Diagnostic) -> str:
    """``line:column`` and the dotted path of the key; before them the name of another file."""
    name = Path(diagnostic.path).name
    file = "" if name == "job.yaml" else f"{name}:"
    return f"{file}{diagnostic.line}:{diagnostic.column} {diagnostic.where}".rstrip()


@pytest.mark.parametrize(
    "case", ONE_ERROR, ids=[repr(case[0].removeprefix(HEAD)[-60:]) for case in ONE_ERROR]
)
def test_errors_are_reported_with_their_places(case: tuple[str, ...], tmp_path: Path) -> None:
    path = write(tmp_path, case[0])
    with pytest.raises(JobFileError) as caught:
        load(path)
    assert sorted(map(place_of, caught.value.diagnostics)) == sorted(case[1:])
    lines = diagnostics_of(lambda: load(path))
    assert not any("hidden" in line for line in lines)
    check_words("validate", case[0], sorted(lines), tmp_path)


SIX = """\
name: six
provider: openai
model: m
prompt: |
  Translate.
  {{ text }
headers:
  x-api-key: abc
inputs:
  files: [../../elsewhere/*.txt]
params:
  stream: true
concurency: 3
timeouts:
  idle: soon
output:
  path: /etc/results.jsonl
"""


def test_a_job_with_many_errors_names_them_all_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, SIX)
    places = [line.split(": ")[:2] for line in diagnostics_of(lambda: load(path))]
    assert places == [
        ["1:1", "base_url"],
        ["6:3", "prompt"],
        ["8:3", "headers.x-api-key"],
        ["10:11", "inputs.files[0]"],
        ["12:3", "params.stream"],
        ["13:1", "concurency"],
        ["15:9", "timeouts.idle"],
        ["17:9", "output.path"],
    ]


def test_an_error_in_a_flag_has_the_flags_name_and_no_line(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + "prompt: a\n")
    flags = {"concurrency": 0, "params.n": 2, "paramz.x": 1}
    assert diagnostics_of(lambda: load(path, overrides=flags)) == [
        "--set concurrency: concurrency: must be at least 1",
        "--set paramz.x: paramz: unknown key; did you mean `params`?",
        "--set params.n: params.n: a request has one answer; for several, write `samples: 2` in the job",
    ]
    named = write(tmp_path, HEAD + "prompt: a\nname: x\n")
    assert diagnostics_of(lambda: load(named, overrides={"name.first": "x"})) == [
        "--set name.first: `name` has no keys of its own in this job"
    ]


@pytest.mark.parametrize(
    ("output", "what"), [("-", "to standard output"), ("new/", "to a folder"), (".", "to a folder")]
)
def test_results_go_to_a_file(tmp_path: Path, output: str, what: str) -> None:
    path = write(tmp_path, f"{HEAD}prompt: a\noutput: {{path: '{output}'}}\n")
    (diagnostic,) = diagnostics_of(lambda: load(path))
    assert diagnostic.endswith(f"output.path: results cannot be written {what}; name a file")


def test_an_error_is_named_by_the_flag_that_was_typed(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + "prompt: a\n")
    overrides = {"concurrency": 0, "params.n": 2, "output.path": tmp_path}
    flags = {"concurrency": "--concurrency", "output.path": "--output"}
    assert diagnostics_of(lambda: load(path, overrides=overrides, flags=flags)) == [
        "--concurrency: concurrency: must be at least 1",
        "--set params.n: params.n: a request has one answer; for several, write `samples: 2` in the job",
        "--output: output.path: results cannot be written to a folder; name a file",
    ]
