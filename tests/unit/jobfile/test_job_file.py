"""What a job file means: defaults, merging, flags, paths and secrets."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batch.cli import init
from batch.jobfile import Inputs, Message, Model, Retries, Timeouts, job_template, load, load_mapping
from batch.jobfile.init_template import SERVERS
from batch.jobfile.paths import bounds_of
from tests.support.jobfile_support import HEAD, diagnostics_of, job, write

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST = {"provider": "openai", "base_url": "http://h/v1", "model": "m", "prompt": "a"}


def test_the_least_that_makes_a_job_has_sensible_defaults(tmp_path: Path) -> None:
    result = job(tmp_path, HEAD + "prompt: Hello\n")
    assert result.name == "job"
    assert result.root == tmp_path
    assert result.output == tmp_path / "output" / "job.jsonl"
    assert result.models == (Model("m", "openai", "m", "http://localhost:8000/v1"),)
    assert result.prompts[0].messages == (Message("user", "Hello"),)
    assert (result.inputs, result.rows) == (None, None)
    assert (result.concurrency, result.adaptive) == (8, True)
    assert result.retries == Retries(max_attempts=8, base=0.5, cap=60)
    assert result.timeouts == Timeouts(
        connect=10, first_byte=300, idle=120, total=None, outage=1800, grace=30
    )


@pytest.mark.parametrize(
    ("server", "provider", "base_url"),
    [
        ("local", "autonomous", "local"),
        ("openai", "openai", "https://api.openai.com/v1"),
        ("ollama", "openai", "http://127.0.0.1:11434/v1"),
        ("vllm", "openai", "http://127.0.0.1:8000/v1"),
        ("llama.cpp", "openai", "http://127.0.0.1:8080/v1"),
    ],
)
def test_the_templates_have_no_errors(tmp_path: Path, server: str, provider: str, base_url: str) -> None:
    text = job_template(server)
    assert "\nname:" not in text
    assert max(map(len, text.splitlines())) <= 120
    job = load(write(tmp_path, text))
    assert (job.name, job.models[0].provider, job.models[0].base_url) == ("job", provider, base_url)
    assert [message.role for message in job.prompts[0].messages] == ["system", "user"]
    assert job.prompts[0].messages[1].content == "{{ text }}"


def test_there_is_a_template_for_each_server() -> None:
    assert SERVERS == init.SERVERS == ("local", "openai", "ollama", "vllm", "llama.cpp")


def test_a_models_own_settings_win_over_the_jobs_and_maps_are_merged(tmp_path: Path) -> None:
    text = """
        provider: openai
        base_url: http://h/v1
        api_key_env: JOB_KEY
        headers: {X-Team: a, User-Agent: job}
        params: {temperature: 0, seed: 1}
        models:
          - plain
          - {id: own, model: m, base_url: https://other/v1, api_key_file: key.txt,
             headers: {user-agent: mine},
             params: {seed: 2}, concurrency: 3}
          - {model: summary, provider: autonomous, base_url: local, proxy: "http://u:${PROXY_PASSWORD}@p:1"}
        prompt: a
        """
    shared = {"X-Team": "a", "User-Agent": "job"}
    params = {"temperature": 0, "seed": 1}
    assert job(tmp_path, text).models == (
        Model("plain", "openai", "plain", "http://h/v1", None, "JOB_KEY", None, shared, None, params),
        Model(
            id="own",
            provider="openai",
            model="m",
            base_url="https://other/v1",
            api_key_file=tmp_path / "key.txt",
            headers={"X-Team": "a", "user-agent": "mine"},
            params={"temperature": 0, "seed": 2},
            concurrency=3,
        ),
        Model(
            id="summary",
            provider="autonomous",
            model="summary",
            base_url="local",
            engine="llama",
            api_key_env="JOB_KEY",
            headers=shared,
            proxy="http://u:${PROXY_PASSWORD}@p:1",
            params=params,
        ),
    )


def test_the_system_message_stands_first_unless_there_is_one(tmp_path: Path) -> None:
    text = (
        HEAD
        + """\
system: Be brief.
prompts:
  - {id: a, prompt: x}
  - {id: b, prompt: x, system: Be long.}
  - {id: c, messages: [{role: system, content: Own.}, {role: user, content: x}]}
  - {id: d, prompt: x, system: "", params: {seed: 1}}
"""
    )
    systems = [prompt.messages[0].content for prompt in job(tmp_path, text).prompts]
    assert systems == ["Be brief.", "Be long.", "Own.", ""]


def test_prompts_can_be_texts(tmp_path: Path) -> None:
    texts = HEAD + "system: Be brief.\nprompts: [x, '{{ text }}', {id: c, prompt: z}]\n"
    mappings = (
        HEAD + "system: Be brief.\nprompts: [{prompt: x}, {prompt: '{{ text }}'}, {id: c, prompt: z}]\n"
    )
    read = [(prompt.id, prompt.messages, prompt.params) for prompt in job(tmp_path, texts).prompts]
    assert [(each[0], each[1][-1].content) for each in read] == [
        (None, "x"),
        (None, "{{ text }}"),
        ("c", "z"),
    ]
    assert [each[1][0] for each in read] == [Message("system", "Be brief.")] * 3
    assert read == [(prompt.id, prompt.messages, prompt.params) for prompt in job(tmp_path, mappings).prompts]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90s", 90), ("500ms", 0.5), ("5m", 300), ("2h", 7200), ("1.5", 1.5), ("7", 7), ("0.25 s", 0.25)],
)
def test_durations_are_seconds(written: str, seconds: float, tmp_path: Path) -> None:
    assert job(tmp_path, HEAD + f"prompt: a\ntimeouts: {{idle: {written}}}\n").timeouts.idle == seconds


@pytest.mark.parametrize("written", ["5 minutes", "-1", "1h30m", "''", "true", "٣s", ".inf", "[1]", "1e400s"])
def test_anything_else_is_no_duration(written: str, tmp_path: Path) -> None:
    assert diagnostics_of(lambda: job(tmp_path, HEAD + f"prompt: a\ntimeouts: {{idle: {written}}}\n"))


def test_x_keys_are_ignored_at_the_top_only(tmp_path: Path) -> None:
    assert job(tmp_path, HEAD + "prompt: a\nx-note: {any: thing}\n").name == "job"
    assert diagnostics_of(lambda: job(tmp_path, HEAD + "prompt: a\nretries: {x-note: 1}\n"))


# Flags.


def test_flags_stand_in_for_what_is_written(tmp_path: Path) -> None:
    text = HEAD + "prompt: a\nparams: {seed: 1}\n"
    flags = {
        "params.temperature": 0.2,
        "params.seed": 2,
        "concurrency": 4,
        "adaptive": False,
        "base_url": "local",
        "model": "llama",
    }
    result = job(tmp_path, text, flags)
    assert (result.concurrency, result.adaptive) == (4, False)
    assert result.models == (
        Model("llama", "openai", "llama", "local", "llama", params={"seed": 2, "temperature": 0.2}),
    )


def test_a_models_flag_replaces_all_models(tmp_path: Path) -> None:
    text = "provider: autonomous\nmodels: [llama, vision]\nprompt: x\n"
    assert [model.id for model in job(tmp_path, text, {"model": "hermes"}).models] == ["hermes"]


def test_a_flag_replaces_an_invalid_value_of_the_file(tmp_path: Path) -> None:
    assert job(tmp_path, HEAD + "prompt: a\nconcurrency: many\n", {"concurrency": 2}).concurrency == 2


def test_a_path_from_the_caller_is_trusted_and_text_is_not(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out" / "r.jsonl"
    inside.mkdir()
    assert job(inside, HEAD + "prompt: a\n", {"output.path": outside}).output == outside
    assert diagnostics_of(lambda: job(inside, HEAD + "prompt: a\n", {"output.path": str(outside)})) == [
        f"--set output.path: output.path: is outside {inside}; `--allow-path` allows another folder"
    ]


# Paths.


def test_the_root_is_the_jobs_own_folder(tmp_path: Path) -> None:
    assert diagnostics_of(lambda: job(tmp_path / "work", HEAD + "prompt: a\noutput: {path: ../r.jsonl}\n"))


def test_the_root_is_the_parent_of_a_folder_called_jobs(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    result = job(folder, HEAD + "prompt: a\noutput: {path: ../output/r.jsonl}\n")
    assert (result.root, result.output) == (tmp_path, tmp_path / "output" / "r.jsonl")
    assert diagnostics_of(lambda: job(folder, HEAD + "prompt: a\noutput: {path: ../../r.jsonl}\n"))


def test_an_allowed_tree_may_be_used(tmp_path: Path) -> None:
    path = write(tmp_path / "in", HEAD + "prompt: a\noutput: {path: ../out/r.jsonl}\n")
    assert load(path, allow=[tmp_path / "out"]).output == tmp_path / "out" / "r.jsonl"


def test_a_symlink_does_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path)
    assert diagnostics_of(lambda: job(tmp_path / "in", HEAD + "prompt: a\noutput: {path: link/r.jsonl}\n"))


@pytest.mark.parametrize("name", ["../up", "a/b", "..", "a\\b"])
def test_a_name_that_is_no_file_name_needs_an_output(name: str, tmp_path: Path) -> None:
    assert diagnostics_of(lambda: job(tmp_path, HEAD + f"prompt: a\nname: {name}\n"))
    assert job(tmp_path, HEAD + f"prompt: a\nname: {name}\noutput: {{path: r.jsonl}}\n").name == name


def test_the_results_never_overwrite_the_job(tmp_path: Path) -> None:
    write(tmp_path, "{}\n", "rows.jsonl")
    for output in ("job.yaml", "rows.jsonl", "./x/../rows.jsonl"):
        text = HEAD + f"prompt: a\ninputs: {{jsonl: rows.jsonl}}\noutput: {{path: {output}}}\n"
        assert diagnostics_of(lambda text=text: job(tmp_path, text)) == [  # type: ignore[misc]
            "6:16: output.path: the output would overwrite a file of the job; name another file"
        ]


def test_only_a_regular_file_is_a_job_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.yaml")
    assert diagnostics_of(lambda: load(tmp_path / "fifo.yaml")) == ["fifo.yaml: not a regular file"]
    assert diagnostics_of(lambda: load(Path("/dev/zero"))) == ["zero: not a regular file"]
    assert diagnostics_of(lambda: load(tmp_path / "none.yaml")) == ["none.yaml: no such file"]


def test_an_engine_may_be_a_file_of_weights(tmp_path: Path) -> None:
    (tmp_path / "w.gguf").write_bytes(b"GGUF")
    text = "provider: openai\nbase_url: local\nengine: w.gguf\nmodel: m\nprompt: a\n"
    assert job(tmp_path, text).models[0].engine == str(tmp_path / "w.gguf")
    os.mkfifo(tmp_path / "f.gguf")
    assert diagnostics_of(lambda: job(tmp_path, text.replace("w.gguf", "f.gguf"))) == [
        "3:1: engine: not a regular file"
    ]


def test_an_endpoint_is_the_jobs_unless_each_worker_has_one(tmp_path: Path) -> None:
    text = "provider: openai\nbase_url: http://h/v1\nmodels: [a, {model: b, endpoint_scope: %s}]\nprompt: a\n"
    assert [model.endpoint_scope for model in job(tmp_path, text % "worker").models] == ["job", "worker"]
    text = "endpoint_scope: worker\n" + text
    assert [model.endpoint_scope for model in job(tmp_path, text % "job").models] == ["worker", "job"]


def test_the_jobs_engine_is_for_its_local_models_only(tmp_path: Path) -> None:
    text = """
        provider: openai
        base_url: local
        engine: extractive
        models: [a, {model: b, base_url: http://h/v1}]
        prompt: x
        """
    assert [model.engine for model in job(tmp_path, text).models] == ["extractive", None]


@pytest.mark.parametrize(
    ("folder", "root"),
    [
        ("/home/me/jobs", "/home/me/jobs"),
        ("/jobs", "/jobs"),
        ("/home/me/project/jobs", "/home/me/project"),
        ("/home/me/jobs/jobs", "/home/me/jobs"),
        ("/home/me/project", "/home/me/project"),
        ("/home/me", "/home/me"),
        ("/home/jobs", "/home"),
        ("/srv/jobs", "/srv"),
    ],
)
def test_jobs_lift_the_root_to_a_project_but_not_to_the_home(folder: str, root: str) -> None:
    bounds = bounds_of(Path(folder), home=Path("/home/me"))
    assert (str(bounds.base), str(bounds.root)) == (folder, root)


def test_an_output_whose_name_is_too_long_does_no_harm(tmp_path: Path) -> None:
    assert job(tmp_path, HEAD + f"prompt: a\noutput: {{path: {'x' * 300}.jsonl}}\n").output.parent == tmp_path


# Secrets.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "${TOKEN}"),
        ("authorization", "Bearer ${TOKEN}"),
        ("Authorization", "Basic ${USER}:${PASSWORD}"),
        ("Cookie", "session=${SESSION}"),
        ("X-API-Key", "${KEY}"),
        ("X-Team", "research"),
        ("User-Agent", "ours/1.0"),
    ],
)
def test_a_header_names_its_secret(name: str, value: str, tmp_path: Path) -> None:
    text = HEAD + f"prompt: a\nheaders: {{{name}: '{value}'}}\n"
    assert job(tmp_path, text).models[0].headers == {name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer abc"),
        ("proxy-authorization", "abc"),
        ("X-Api-Key", "abc${KEY}"),
        ("api-key", "abc"),
        ("apikey", "abc"),
        ("Cookie", "a=b"),
        ("X-Auth-Token", "${KEY} abc"),
        ("X-Team", "a\\r\\nAuthorization: x"),
        ("X Team", "a"),
        ("X-Team", "${"),
        ("X-Team", "${1}"),
    ],
)
def test_a_header_with_a_written_secret_is_an_error(name: str, value: str, tmp_path: Path) -> None:
    said = diagnostics_of(lambda: job(tmp_path, HEAD + f'prompt: a\nheaders: {{{name}: "{value}"}}\n'))
    assert len(said) == 1
    assert "abc" not in said[0]


@pytest.mark.parametrize(
    ("url", "is_fine"),
    [
        ("https://api.openai.com/v1", True),
        ("http://[::1]:8000/v1", True),
        ("${BASE_URL}", True),
        ("https://${HOST}:${PORT}/v1", True),
        ("https://${USER}:${PASSWORD}@h/v1", True),
        ("https://user:${PASSWORD}@h/v1", True),
        ("https://user:secret@h/v1", False),
        ("https://secret@h/v1", False),
        ("ftp://h/v1", False),
        ("https://", False),
        ("https:///v1", False),
        ("http://h:99999/v1", False),
        ("http://[::1/v1", False),
        ("http://a b/v1", False),
        ("file:///etc/passwd", False),
        ("Local", False),
    ],
)
def test_addresses(url: str, is_fine: bool, tmp_path: Path) -> None:
    call = {**LEAST, "base_url": url}
    if is_fine:
        assert load_mapping(call, tmp_path).models[0].base_url == url
    else:
        assert "secret@" not in diagnostics_of(lambda: load_mapping(call, tmp_path))[0]


# From memory.


def test_a_mapping_is_a_job_like_any_other(tmp_path: Path) -> None:
    result = load_mapping({**LEAST, "name": "n", "inputs": {"files": ("a/*.txt",)}}, tmp_path)
    assert result.path == tmp_path
    assert result.output == tmp_path / "output" / "n.jsonl"
    assert result.inputs == Inputs(tmp_path, (tmp_path,), ("a/*.txt",))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"params": {"a": object()}}, "job: params.a: object is not allowed in a job"),
        ({"params": {"a": float("nan")}}, "job: params.a: not a finite number"),
        ({"params": {1: 2}}, "job: params: a key that is not text"),
        ({"prompt": "\ud800"}, "job: prompt: text with an unpaired surrogate"),
        ({"concurrency": 0}, "job: concurrency: must be at least 1"),
        ({"models": ["m", 7]}, "job: models[1]: expected keys and values, got a whole number"),
    ],
)
def test_a_mappings_errors_have_no_line(change: Mapping[str, object], said: str, tmp_path: Path) -> None:
    assert said in diagnostics_of(lambda: load_mapping({**LEAST, **change}, tmp_path))


def test_a_mapping_that_holds_itself_is_refused(tmp_path: Path) -> None:
    endless: dict[str, object] = {}
    endless["again"] = endless
    assert diagnostics_of(lambda: load_mapping({**LEAST, "params": endless}, tmp_path)) == [
        "job: params: nested more than 100 levels deep"
    ]


def test_a_mapping_whose_lists_hold_each_other_twice_is_refused_in_bounded_time(tmp_path: Path) -> None:
    bomb: list[Any] = ["x"]
    for _ in range(60):
        bomb = [bomb, bomb]
    began = time.process_time()
    assert diagnostics_of(lambda: load_mapping({**LEAST, "params": {"stop": bomb}}, tmp_path)) == [
        "job: more than 2000000 values; put rows into a JSONL file"
    ]
    assert time.process_time() - began < 20
