"""Values that no server can accept are errors; names that are almost a parameter's are notices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.jobfile_support import HEAD, diagnostics_of, job

if TYPE_CHECKING:
    from pathlib import Path

IMPOSSIBLE = [
    ("max_tokens: -100", "must be at least 1"),
    ("max_tokens: 0", "must be at least 1"),
    ("max_tokens: 1.5", "expected a whole number, got a number"),
    ("max_tokens: '100'", "expected a whole number, got text; write `100` without quotes"),
    ("max_tokens: true", "expected a whole number, got true or false"),
    ("max_completion_tokens: -2", "must be at least 1"),
    ("temperature: -0.1", "must be at least 0"),
    ("temperature: warm", "expected a number, got text"),
    ("temperature: [1]", "expected a number, got a list"),
    ("top_p: 1.5", "must be at most 1"),
    ("top_p: -1", "must be at least 0"),
    ("min_p: 2", "must be at most 1"),
    ("top_k: -5", "must be at least 0"),
    ("seed: abc", "expected a whole number, got text"),
    ("frequency_penalty: '0.5'", "expected a number, got text; write `0.5` without quotes"),
    ("stop: 3", "expected text or a list of texts, got a whole number"),
    ("logit_bias: [1]", "expected keys and values, got a list"),
    ("tools: {type: function}", "expected a list, got keys and values"),
]
POSSIBLE = [
    "max_tokens: -1",
    "max_tokens: 1",
    "max_tokens: 100.0",
    "max_tokens: null",
    "temperature: 0",
    "temperature: 2.5",
    "top_p: 1",
    "top_k: -1",
    "seed: -1",
    "presence_penalty: -2",
    "stop: [a, b]",
    "stop: x",
    "chat_template_kwargs: {enable_thinking: false}",
    "something_new: -1",
    "min_tokens: 0",
    "top_a: 1",
]
MISSPELT = [
    ("temprature", "temperature"),
    ("tempature", "temperature"),
    ("max_token", "max_tokens"),
    ("maxtokens", "max_tokens"),
    ("top-p", "top_p"),
    ("frequency_penality", "frequency_penalty"),
    ("stops", "stop"),
    ("sead", None),
    ("reasoning_efort", "reasoning_effort"),
    ("my_flag", None),
]


@pytest.mark.parametrize(("param", "what"), IMPOSSIBLE)
def test_a_value_that_no_server_accepts_is_an_error(param: str, what: str, tmp_path: Path) -> None:
    name = param.partition(":")[0]
    text = f"{HEAD}prompt: a\nparams: {{{param}}}\n"
    assert diagnostics_of(lambda: job(tmp_path, text)) == [f"5:10: params.{name}: {what}"]


@pytest.mark.parametrize("param", POSSIBLE)
def test_a_value_that_some_server_accepts_is_none(param: str, tmp_path: Path) -> None:
    assert job(tmp_path, f"{HEAD}prompt: a\nparams: {{{param}}}\n").warnings == ()


@pytest.mark.parametrize(("name", "meant"), MISSPELT)
def test_a_name_like_a_parameters_is_a_notice(name: str, meant: str | None, tmp_path: Path) -> None:
    what = f"5:10: warning: params.{name}: no known parameter, sent as it stands; did you mean `{meant}`?"
    notices = [*map(str, job(tmp_path, f"{HEAD}prompt: a\nparams: {{{name}: 1}}\n").warnings)]
    assert [notice.removeprefix(f"{tmp_path}/job.yaml:") for notice in notices] == ([what] if meant else [])


def test_each_place_of_parameters_is_checked(tmp_path: Path) -> None:
    text = (
        "provider: openai\nbase_url: http://localhost:8000/v1\n"
        "models: [{model: m, params: {temperature: hot}}]\n"
        "prompts: [{prompt: a, params: {top_p: 7}}]\nparams: {seed: x}\n"
    )
    assert sorted(diagnostics_of(lambda: job(tmp_path, text))) == [
        "3:30: models[0].params.temperature: expected a number, got text",
        "4:32: prompts[0].params.top_p: must be at most 1",
        "5:10: params.seed: expected a whole number, got text",
    ]
