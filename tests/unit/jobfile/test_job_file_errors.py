"""Broken job files, and what a person is told about each: every mistake, with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batch.jobfile import load
from tests.support.jobfile_support import AUTONOMOUS, HEAD, mistakes_of, write

if TYPE_CHECKING:
    from pathlib import Path

ONE_MISTAKE = [
    # Not YAML, or not one plain mapping.
    ("", "is empty; `promptjobs init` writes one to start from"),
    ("just text\n", "1:1: expected keys and values, got text"),
    ("- a\n- b\n", "1:1: expected keys and values, got a list"),
    (
        "name: a\nprompt: Answer: yes\n",
        (
            "2:15: not YAML: mapping values are not allowed in this context; is a value with `: ` in it "
            "not in quotes, or a line not indented like those around it?"
        ),
    ),
    (
        "name: a\n\tprompt: x\n",
        (
            "2:1: not YAML: found a tab character that violates indentation "
            "(while scanning a plain scalar that starts on line 1); indent with spaces, not tabs"
        ),
    ),
    (
        "name: a\nprompt: 'open\n",
        (
            "3:1: not YAML: found unexpected end of stream "
            "(while scanning a quoted scalar that starts on line 2)"
        ),
    ),
    ("name: a\n---\nname: b\n", "2:1: a second document; a job file is one document"),
    (
        HEAD + "prompt: {{ text }}\n",
        (
            "4:10: a key that is not text; put text that starts with `{{` in quotes, "
            "or on lines of its own after `|`"
        ),
    ),
    (HEAD + "prompt: a\n1: x\n", "5:1: a key that is not text; put it in quotes"),
    (
        HEAD + "prompt: a\nname: x\nname: y\n",
        "6:1: name: written twice; the first is on line 5",
    ),
    (
        HEAD + "prompt: a\nparams:\n  seed: 1\n  seed: 2\n",
        "7:3: params.seed: written twice; the first is on line 6",
    ),
    (
        HEAD + "prompt: !!python/object:os.system x\n",
        "4:9: the tag 'tag:yaml.org,2002:python/object:os.system' has no meaning here; leave it out",
    ),
    (HEAD + "prompt: *nowhere\n", "4:9: the alias `*nowhere` has no anchor before it"),
    (
        HEAD + "params: &a {b: *a}\nprompt: x\n",
        "4:16: the alias `*a` stands inside its own anchor",
    ),
    (
        HEAD + "prompt: a\nparams: {top_p: .nan}\n",
        "5:17: params.top_p: a number that JSON cannot hold; put it in quotes if it is meant as text",
    ),
    (HEAD + "prompt: !include secrets.txt\n", "4:9: the tag '!include' has no meaning here; leave it out"),
    (
        HEAD + "prompt: a\nx-picture: !!binary aGk=\n",
        "5:12: the tag 'tag:yaml.org,2002:binary' has no meaning here; leave it out",
    ),
    (
        HEAD + "prompt: a\nx-day: !!timestamp 2026-11-22\n",
        "5:8: the tag 'tag:yaml.org,2002:timestamp' has no meaning here; leave it out",
    ),
    (HEAD + "prompt: a\nnull: x\n", "5:1: a key that is not text; put it in quotes"),
    (HEAD + "prompt: a\n? [a, b]\n: x\n", "5:3: a key that is not text; put it in quotes"),
    (HEAD + "prompt: a\n<<: text\n", "5:5: `<<` takes a mapping or a list of them"),
    (
        HEAD + "prompt: a\nparams: {a: {b: 1, b: 2}}\n",
        "5:20: params.a.b: written twice; the first is on line 5",
    ),
    # What YAML 1.1 would have made something else of: text is text.
    ("provider: no\nmodel: m\nprompt: a\n", "1:11: provider: expected `autonomous` or `openai`"),
    (HEAD + "prompt: a\nconcurrency: 014\n", "5:14: concurrency: expected a whole number, got text"),
    (HEAD + "prompt: a\nconcurrency: 1_000\n", "5:14: concurrency: expected a whole number, got text"),
    (HEAD + "prompt: a\nconcurrency: yes\n", "5:14: concurrency: expected a whole number, got text"),
    (
        HEAD + "prompt: a\nadaptive: no\n",
        "5:11: adaptive: expected true or false, got text; YAML's words are `true` and `false`",
    ),
    (HEAD + "prompt: a\nadaptive: 1\n", "5:11: adaptive: expected true or false, got a whole number"),
    (HEAD + "prompt: a\nconcurrency: 8.5\n", "5:14: concurrency: expected a whole number, got a number"),
    (HEAD + "prompt: true\n", "4:9: prompt: expected text, got true or false"),
    (HEAD + "prompt: 7\n", "4:9: prompt: expected text, got a whole number"),
    (
        HEAD + "prompt: a\ntimeouts: {idle: 1:30}\n",
        "5:18: timeouts.idle: not a duration; write `90s`, `500ms`, `5m` or `2h`",
    ),
    # Keys and types.
    (
        HEAD + "prompt: a\nparmas: {}\n",
        "5:1: parmas: unknown key; did you mean `params`?",
    ),
    (
        HEAD + "prompt: a\ntemperature: 0\n",
        "5:1: temperature: unknown key; parameters stand under `params`",
    ),
    (
        HEAD + "prompt: a\nretries: {max_attempt: 3}\n",
        "5:11: retries.max_attempt: unknown key; did you mean `max_attempts`?",
    ),
    (HEAD + "prompt: a\nsamples: 0\n", "5:10: samples: must be at least 1"),
    (
        HEAD + "prompt: a\nmatrix: {tone: formal}\n",
        "5:16: matrix.tone: expected a list, got text",
    ),
    (
        HEAD + "prompt: a\nmatrix: {tone: []}\n",
        "5:16: matrix.tone: must not be empty",
    ),
    (
        HEAD + "prompt: a\nmatrix: {}\n",
        "5:1: matrix: leaves no combination; write `name: [values]`, or exclude less",
    ),
    (
        HEAD + "prompt: a\nmatrix:\n  tone: [a, b]\n  exclude: [{tone: a}, {tone: b}]\n",
        "5:1: matrix: leaves no combination; write `name: [values]`, or exclude less",
    ),
    (
        HEAD + "prompt: a\nmatrix:\n  tone: [a, b]\n  exclude: [{tune: a}]\n",
        "7:14: matrix.exclude[0].tune: not one of the matrix; did you mean `tone`?",
    ),
    (
        HEAD + "prompt: a\nmatrix:\n  my tone: [a, b]\n",
        '6:3: matrix."my tone": not a name that a prompt can use; letters, digits and `_`',
    ),
    (
        HEAD + "prompt: a\nmatrix:\n  größe/Größe\u202e: [a, b]\n",
        '6:3: matrix."größe/Größe\\u202e": not a name that a prompt can use; letters, digits and `_`',
    ),
    (
        HEAD + "prompt: a\nmatrix: {tone: [a, b, a]}\n",
        "5:23: matrix.tone[2]: is the same as matrix.tone[0]; `samples` asks the same several times",
    ),
    (
        HEAD + "prompt: a\nmatrix: {a: &v [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], b: *v, c: *v, d: *v}\n",
        ("5:1: matrix: more than 10000 combinations; what there is so much of belongs into a file of rows"),
    ),
    (
        HEAD + "prompt: a\ninputs:\n  excel: rows.xlsx\n",
        (
            "6:3: inputs.excel: unknown key; known here: csv, files, follow_symlinks, group_by, id_field, "
            "jsonl, keep, on_bad_row, on_empty, parquet, results, split"
        ),
        "5:1: inputs: nothing to read; write `files`, `csv`, `jsonl`, `parquet` or `results`",
    ),
    (
        HEAD + "prompt: a\ninputs: {files: a.txt, csv: b.csv, split: {tokens: 9}}\n",
        "5:24: inputs.csv: stands beside `files`; keep one of them",
        "5:52: inputs.split.tokens: must be at least 10",
    ),
    (
        HEAD + "prompt: a\ninputs: {csv: a.csv, group_by: x, split: {tokens: 50, overlap: 50}}\n",
        "5:22: inputs.group_by: is for `results`",
        "5:35: inputs.split: stands beside `group_by`; a group has no `text`",
        "5:64: inputs.split.overlap: must be less than `tokens`",
    ),
    (
        HEAD + "prompt: a\ninputs: {results: r.jsonl, id_field: x}\n",
        "5:28: inputs.id_field: is for rows; a result has the id of its request",
    ),
    (
        HEAD + "prompt: a\nconcurrency: '8'\n",
        "5:14: concurrency: expected a whole number, got text",
    ),
    (HEAD + "prompt: a\nconcurrency: 0\n", "5:14: concurrency: must be at least 1"),
    (HEAD + "prompt: a\nconcurrency: 10001\n", "5:14: concurrency: must be at most 10000"),
    (HEAD + "prompt:\n  - a\n", "5:3: prompt: expected text, got a list"),
    (
        HEAD + "prompt: a\ntimeouts:\n  idle: 2 minutes\n",
        "6:9: timeouts.idle: not a duration; write `90s`, `500ms`, `5m` or `2h`",
    ),
    (
        HEAD + "prompt: a\ntimeouts: {connect: 0s}\n",
        "5:21: timeouts.connect: must be more than 0",
    ),
    (
        HEAD + "prompt: a\nretries: {base: 2m, cap: 60}\n",
        "5:17: retries.base: longer than `retries.cap`",
    ),
    (
        HEAD + "messages:\n  - {role: usr, content: a}\n",
        (
            "5:12: messages[0].role: expected `system`, `developer`, `user` or `assistant`; "
            "did you mean `user`?"
        ),
    ),
    (HEAD + "messages:\n  - role: user\n", "5:5: messages[0].content: is missing"),
    (
        HEAD + "prompts: [Name a river.]\n",
        "4:11: prompts[0]: expected keys and values, got text; write `- prompt: …`",
    ),
    (
        HEAD + "messages:\n  - Name a river.\n",
        "5:5: messages[0]: expected keys and values, got text; write `- {role: user, content: …}`",
    ),
    (
        HEAD + "prompt: a\ninputs: documents/*.txt\noutput: results.jsonl\ntimeouts: 30s\nretries: 3\n",
        ("5:9: inputs: expected keys and values, got text; write `inputs: {files: [documents/*.txt]}`"),
        "6:9: output: expected keys and values, got text; write `output: {path: results.jsonl}`",
        "7:11: timeouts: expected keys and values, got text; write `timeouts: {idle: 120s}`",
        "8:10: retries: expected keys and values, got a whole number; write `retries: {max_attempts: 3}`",
    ),
    (HEAD + "messages: []\n", "4:11: messages: must not be empty"),
    # What is asked.
    (HEAD, "1:1: nothing to ask; write `prompt`, `messages` or `prompts`"),
    (
        HEAD + "prompt: a\nprompts: [{prompt: b}]\n",
        "5:1: prompts: stands beside `prompt`; keep one of them",
    ),
    (
        HEAD + "prompts:\n  - {id: a, prompt: x}\n  - {id: a, prompt: y}\n",
        "6:5: prompts[1]: has the id of prompts[0]; give each an `id` of its own",
    ),
    (
        HEAD + "prompts:\n  - prompt: x\n  - prompt: x\n",
        "6:5: prompts[1]: is the same as prompts[0]; give each an `id` of its own",
    ),
    (
        HEAD + "prompts:\n  - id: a\n",
        "5:5: prompts[0]: nothing to ask; write `prompt` or `messages`",
    ),
    (
        HEAD + "prompt: |\n  First line.\n  {{ text\n",
        "6:1: prompt: not a template: unexpected end of template, expected 'end of print statement'.",
    ),
    (
        HEAD + "prompt: '{{ text | sumarise }}'\n",
        "4:9: prompt: not a template: No filter named 'sumarise'.",
    ),
    (
        HEAD + "prompt: \"{% include 'secrets' %}\"\n",
        "4:9: prompt: a prompt cannot include another template",
    ),
    (
        HEAD + "prompt: |\n  Write about\n  {{ subjects|random }}\n",
        (
            "6:1: prompt: `random` would ask something else in every run; "
            "`matrix` and `samples` vary what is asked"
        ),
    ),
    (
        HEAD + "prompt: a\nparams: {stream: false}\n",
        "5:10: params.stream: every answer is streamed; leave it out",
    ),
    (
        HEAD + "prompt: a\nparams: {n: 4}\n",
        "5:10: params.n: a request has one answer; for several, write `samples: 4` in the job",
    ),
    # Where it goes.
    (
        "model: m\nprompt: a\n",
        "1:1: provider: is missing: where prompts go is always said; write `openai` or `autonomous`",
    ),
    (
        "provider: openia\nmodel: m\nprompt: a\n",
        "1:11: provider: expected `autonomous` or `openai`; did you mean `openai`?",
    ),
    (
        "provider: openai\nmodel: m\nprompt: a\n",
        (
            "1:1: base_url: is missing: `openai` has no default address; "
            "for OpenAI itself write `https://api.openai.com/v1`"
        ),
    ),
    ("provider: autonomous\nprompt: a\n", "1:1: no model; write `model` or `models`"),
    (
        HEAD + "models: [m, n]\nprompt: a\n",
        "4:1: models: stands beside `model`; keep one of them",
    ),
    (
        "provider: autonomous\nmodels: [llama, llama]\nprompt: a\n",
        "2:17: models[1]: a second model with the id `llama`; give each an `id` of its own",
    ),
    (
        "provider: autonomous\nmodels: [llama, gpt]\nprompt: a\n",
        "2:17: models[1]: AutonomousAI has no model 'gpt'; it has " + AUTONOMOUS,
    ),
    (
        "provider: openai\nbase_url: localhost:8000\nmodel: m\nprompt: a\n",
        "2:11: base_url: not an http or https URL; write it as `http://host:port/v1`",
    ),
    (
        HEAD + "prompt: a\nengine: llama\n",
        "5:1: engine: is for the embedded endpoint; write `base_url: local`",
    ),
    (
        "provider: openai\nbase_url: local\nengine: lama\nmodel: m\nprompt: a\n",
        "3:1: engine: expected `llama`, `extractive` or the path of a .gguf file",
    ),
    (
        "provider: openai\nbase_url: local\nengine: none.gguf\nmodel: m\nprompt: a\n",
        "3:1: engine: no such file",
    ),
    # Secrets.
    (
        HEAD + "prompt: a\napi_key: sk-hidden\n",
        (
            "5:1: api_key: unknown key; name an environment variable with `api_key_env`; "
            "a key is never written into the file"
        ),
    ),
    (
        HEAD + "prompt: a\napi_key_env: sk-hidden\n",
        "5:14: api_key_env: not the name of an environment variable; a key is named here, never written",
    ),
    (
        HEAD + "prompt: a\nheaders:\n  Authorization: Bearer sk-hidden\n",
        (
            "6:3: headers.Authorization: a secret is never written into a job file; "
            "write `${NAME}`, or use `api_key_env`"
        ),
    ),
    (
        HEAD + "prompt: a\nproxy: http://me:hidden@proxy:3128\n",
        "5:8: proxy: a secret is never written into a job file; write `${NAME}` in its place",
    ),
    (
        "provider: openai\nmodel: {model: m, base_url: http://a/v1, base_urls: [http://b/v1]}\nprompt: a\n",
        "2:42: model.base_urls: stands beside `base_url`; keep one of them",
    ),
    (
        "provider: openai\nmodel: {model: m, base_urls: [http://a/, http://b/, http://a]}\nprompt: a\n",
        "2:53: model.base_urls[2]: the same address twice; leave it out",
    ),
    (
        "provider: openai\nmodel: {model: m, base_urls: [local]}\nprompt: a\n",
        ("2:31: model.base_urls[0]: the embedded endpoint is one of its own; write `base_url: local`"),
    ),
    (
        "provider: openai\nmodel: {model: m, base_urls: ['https://sk-hidden@host/v1']}\nprompt: a\n",
        "2:31: model.base_urls[0]: a secret is never written into a job file; write `${NAME}` in its place",
    ),
    (
        "provider: openai\nmodel: {model: m, base_urls: []}\nprompt: a\n",
        "2:30: model.base_urls: must not be empty",
    ),
    (
        HEAD + "prompt: a\nbase_urls: [http://a/v1]\n",
        "5:1: base_urls: unknown key; did you mean `base_url`?",
    ),
    (
        "provider: openai\nbase_url: https://sk-hidden@host/v1\nmodel: m\nprompt: a\n",
        "2:11: base_url: a secret is never written into a job file; write `${NAME}` in its place",
    ),
    (
        "provider: openai\nbase_url: https://host/v1?key=hidden\nmodel: m\nprompt: a\n",
        (
            "2:11: base_url: a secret is never written into a job file; a key goes into `api_key_env`, "
            "or write `${NAME}` in its place"
        ),
    ),
    (
        "provider: openai\nbase_url: https://host/v1#x\nmodel: m\nprompt: a\n",
        "2:11: base_url: an address with `#` in it; leave out what follows it",
    ),
    (
        "provider: openai\nbase_url: https://host/v1/chat/completions/?v=1\nmodel: m\nprompt: a\n",
        "2:11: base_url: ends in `/chat/completions`, which the client adds; write `https://host/v1?v=1`",
    ),
    (
        "provider: openai\nbase_url: https://host/v1/completions\nmodel: m\nprompt: a\n",
        "2:11: base_url: ends in `/completions`, which the client adds; write `https://host/v1`",
    ),
]


@pytest.mark.parametrize("case", ONE_MISTAKE, ids=[case[1][:60] for case in ONE_MISTAKE])
def test_what_is_wrong_is_said_with_its_line(case: tuple[str, ...], tmp_path: Path) -> None:
    path = write(tmp_path, case[0])
    said = mistakes_of(lambda: load(path))
    assert sorted(said) == sorted(case[1:])
    assert not any("hidden" in line for line in said)


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


def test_a_job_with_many_mistakes_names_them_all_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, SIX)
    places = [line.split(": ")[:2] for line in mistakes_of(lambda: load(path))]
    assert places == [
        ["1:1", "base_url"],
        ["6:1", "prompt"],
        ["8:3", "headers.x-api-key"],
        ["10:11", "inputs.files[0]"],
        ["12:3", "params.stream"],
        ["13:1", "concurency"],
        ["15:9", "timeouts.idle"],
        ["17:9", "output.path"],
    ]


def test_a_mistake_in_a_flag_has_the_flags_name_and_no_line(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + "prompt: a\n")
    flags = {"concurrency": 0, "params.n": 2, "paramz.x": 1}
    assert mistakes_of(lambda: load(path, overrides=flags)) == [
        "--set concurrency: concurrency: must be at least 1",
        "--set paramz.x: paramz: unknown key; did you mean `params`?",
        "--set params.n: params.n: a request has one answer; for several, write `samples: 2` in the job",
    ]
    named = write(tmp_path, HEAD + "prompt: a\nname: x\n")
    assert mistakes_of(lambda: load(named, overrides={"name.first": "x"})) == [
        "--set name.first: `name` has no keys of its own in this job"
    ]


@pytest.mark.parametrize(
    ("output", "what"), [("-", "to standard output"), ("new/", "into a folder"), (".", "into a folder")]
)
def test_results_go_to_a_file(tmp_path: Path, output: str, what: str) -> None:
    path = write(tmp_path, f"{HEAD}prompt: a\noutput: {{path: '{output}'}}\n")
    (mistake,) = mistakes_of(lambda: load(path))
    assert mistake.endswith(f"output.path: the results cannot go {what}; name a file")


def test_a_mistake_is_named_by_the_flag_that_was_typed(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + "prompt: a\n")
    overrides = {"concurrency": 0, "params.n": 2, "output.path": tmp_path}
    flags = {"concurrency": "--concurrency", "output.path": "--output"}
    assert mistakes_of(lambda: load(path, overrides=overrides, flags=flags)) == [
        "--concurrency: concurrency: must be at least 1",
        "--set params.n: params.n: a request has one answer; for several, write `samples: 2` in the job",
        "--output: output.path: the results cannot go into a folder; name a file",
    ]
