"""``validate`` asks servers for their models: those on this machine always, others with ``--online``."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from anyio.from_thread import start_blocking_portal

from batch.testing import FaultServer, status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch.testing import Received, Script
    from tests.support.cli_support import Cli

KEY = "sk-abcdefghijklmnopqrstuvwx"
SOUND = "job.yaml: no errors; 1 request ({} 1)"


def models(*names: str, **fields: str) -> Script:
    """A list of models in OpenAI's form."""
    body = {"object": "list", "data": [{"id": name, "object": "model", **fields} for name in names]}
    return status(200, json.dumps(body).encode(), content_type="application/json")


def paths(**known: Script) -> Callable[[Received], Script]:
    """A server with these paths, ``_`` for ``/``; any other is a 404."""
    return lambda request: known.get(request.target.strip("/").replace("/", "_"), status(404, b"no"))


@contextmanager
def serving(script: Callable[[Received], Script]) -> Iterator[FaultServer]:
    """The server in a thread of its own."""
    server = FaultServer(script)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(server):
        yield server


def _job(cli: Cli, url: str, more: str = "", model: str = "qwen2.5") -> None:
    text = f"provider: openai\nbase_url: {url}\nmodel: {model}\n{more}prompt: hello\n"
    (cli.folder / "job.yaml").write_text(text, encoding="utf-8")


def _printed(cli: Cli, server: FaultServer, *flags: str, **env: str) -> tuple[int, list[str]]:
    ended = cli("validate", "job.yaml", "--output-format", "concise", *flags, **env)
    assert KEY not in ended.stdout + ended.stderr
    return ended.code, ended.stderr.replace(server.url, "SERVER").splitlines()


def test_an_address_without_its_version_is_found_where_the_server_is_on_this_machine(cli: Cli) -> None:
    with serving(paths(v1_models=models("qwen2.5"))) as server:
        _job(cli, server.url)
        code, printed = _printed(cli, server)
    assert code == 2
    assert printed == [
        'job.yaml:2:11: base_url: lacks "/v1": SERVER has no list of models; write `SERVER/v1`',
        "1 error; nothing was sent",
    ]
    assert [(each.method, each.target) for each in server.requests] == [
        ("GET", "/models"),
        ("GET", "/v1/models"),
    ]


@pytest.mark.parametrize("flags", [(), ("--online",)])
def test_a_server_on_the_machine_of_each_worker_is_not_asked(cli: Cli, flags: tuple[str, ...]) -> None:
    with serving(paths()) as server:
        _job(cli, server.url, "endpoint_scope: worker\n")
        assert _printed(cli, server, *flags) == (0, [SOUND.format("qwen2.5")])
    assert server.requests == []


@pytest.mark.usefixtures("both_paths")
@pytest.mark.parametrize("flags", [(), ("--online",)])
def test_a_model_that_the_server_has_is_no_error(flags: tuple[str, ...], cli: Cli) -> None:
    with serving(paths(v1_models=models("llama3.2:latest", "qwen2.5"))) as server:
        for model in ("qwen2.5", "llama3.2"):  # Ollama lists a name without a tag as `:latest`
            _job(cli, f"{server.url}/v1", model=model)
            assert _printed(cli, server, *flags) == (0, [SOUND.format(model)])


def test_a_model_that_the_server_lacks_is_a_warning_or_with_online_an_error(cli: Cli) -> None:
    what = "SERVER/v1 has no model `qwen2`; did you mean `qwen2.5`? It has `llama3.2`, `qwen2.5`"
    with serving(paths(v1_models=models("qwen2.5", "llama3.2"))) as server:
        _job(cli, f"{server.url}/v1", model="qwen2")
        assert _printed(cli, server) == (0, [f"job.yaml:3:8: warning: model: {what}", SOUND.format("qwen2")])
        assert _printed(cli, server, "--online") == (
            2,
            [f"job.yaml:3:8: model: {what}", "1 error; nothing was sent"],
        )


def test_of_many_models_some_are_listed(cli: Cli) -> None:
    with serving(paths(v1_models=models(*(f"m{n:02}" for n in range(50))))) as server:
        _job(cli, f"{server.url}/v1", model="other")
        _, (line, *_) = _printed(cli, server, "--online")
    listed = "`m00`, `m01`, `m02`, `m03`, `m04`, `m05` and 44 more"
    assert line == f"job.yaml:3:8: model: SERVER/v1 has no model `other`; it has {listed}"


def test_a_server_that_serves_one_model_under_any_name_misses_none(cli: Cli) -> None:
    with serving(paths(v1_models=models("qwen.gguf", owned_by="llamacpp"))) as server:
        _job(cli, f"{server.url}/v1")
        assert _printed(cli, server, "--online") == (0, [SOUND.format("qwen2.5")])


def test_a_model_with_the_name_of_that_server_is_a_model_like_others(cli: Cli) -> None:
    with serving(paths(v1_models=models("llamacpp", owned_by="ollama"))) as server:
        _job(cli, f"{server.url}/v1")
        _, (line, *_) = _printed(cli, server, "--online")
    assert line == "job.yaml:3:8: model: SERVER/v1 has no model `qwen2.5`; it has `llamacpp`"


def test_the_key_is_sent_with_online_alone_and_never_printed(cli: Cli) -> None:
    def echo(request: Received) -> Script:
        return models("b", request.headers.get("authorization", "none").removeprefix("Bearer "))

    with serving(echo) as server:
        _job(cli, f"{server.url}/v1", "api_key_env: MY_KEY\n")
        _printed(cli, server, MY_KEY=KEY)
        code, printed = _printed(cli, server, "--online", MY_KEY=KEY)
    assert [each.headers.get("authorization") for each in server.requests] == [None, f"Bearer {KEY}"]
    assert code == 2
    assert "has no model `qwen2.5`" in printed[0]


REFUSALS = [
    (401, "api_key_env: MY_KEY\n", "4:14: api_key_env: SERVER/v1 rejects the key (HTTP 401); check the key"),
    (401, "", "2:11: base_url: SERVER/v1 requires a key (HTTP 401); set `api_key_env`"),
    (
        308,
        "",
        "2:11: base_url: SERVER/v1 redirects, which is not followed; set `base_url` to the final address",
    ),
    (
        404,
        "",
        "2:11: warning: base_url: SERVER/v1 has no list of models (HTTP 404), so `model` is not checked",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "more", "said"), REFUSALS, ids=[str(case[0]) + case[1] for case in REFUSALS]
)
def test_what_another_answer_means_is_said_with_online(code: int, more: str, said: str, cli: Cli) -> None:
    with serving(lambda _: status(code, b"no", location="http://127.0.0.1:1/")) as server:
        _job(cli, f"{server.url}/v1", more)
        assert _printed(cli, server, MY_KEY=KEY) == (0, [SOUND.format("qwen2.5")])
        _, (line, *_) = _printed(cli, server, "--online", MY_KEY=KEY)
    assert line == f"job.yaml:{said}"


def test_a_server_that_is_down_is_an_error_with_online_alone(cli: Cli) -> None:
    with serving(paths()) as server:
        _job(cli, "http://127.0.0.1:1/v1")
        assert _printed(cli, server) == (0, [SOUND.format("qwen2.5")])
        code, (line, *_) = _printed(cli, server, "--online")
    assert code == 2
    assert line.startswith("job.yaml:2:11: base_url: http://127.0.0.1:1/v1: cannot connect: ")
    assert line.endswith("; is the server running?")


def test_another_server_is_asked_with_online_alone_and_only_with_a_trusted_key(cli: Cli) -> None:
    with serving(paths()) as server:
        _job(cli, "https://models.invalid/v1", "api_key_env: MY_KEY\n")
        assert _printed(cli, server, MY_KEY=KEY) == (0, [SOUND.format("qwen2.5")])
        code, (line, *_) = _printed(cli, server, "--online", MY_KEY=KEY)
    assert code == 2
    assert line.startswith(
        "job.yaml:4:14: api_key_env: the key MY_KEY is not trusted for https://models.invalid"
    )


def test_a_variable_that_is_not_set_is_an_error_with_online(cli: Cli) -> None:
    with serving(paths(v1_models=models("qwen2.5"))) as server:
        _job(cli, f"{server.url}/v1", "api_key_env: NO_SUCH_KEY\n")
        code, printed = _printed(cli, server, "--online")
    what = "job.yaml:4:14: api_key_env: the environment variable NO_SUCH_KEY is not set"
    assert (code, printed) == (2, [what, "1 error; nothing was sent"])
    assert not server.requests


_CONTROL = "the environment variable TWO_LINES holds a line break or a control character"
UNUSABLE = [
    ("", "api_key_file: no.key\n", "4:15: api_key_file: no such file"),
    (
        "/keys/${QUERY}",
        "api_key_env: MY_KEY\n",
        "2:11: base_url: the address SERVER/keys/${QUERY} contains `?` after its variables are expanded",
    ),
    ("", "api_key_env: TWO_LINES\n", f"4:14: api_key_env: {_CONTROL}"),
    ("", "headers: {X-Team: '${TWO_LINES}'}\n", f"4:19: headers.X-Team: {_CONTROL}"),
]


@pytest.mark.parametrize(("path", "more", "said"), UNUSABLE, ids=[case[2] for case in UNUSABLE])
def test_what_a_run_could_not_use_is_one_error_at_its_own_line(
    path: str, more: str, said: str, cli: Cli
) -> None:
    with serving(paths()) as server:
        _job(cli, f"{server.url}{path}", more)
        code, printed = _printed(cli, server, "--online", MY_KEY=KEY, QUERY="a?b", TWO_LINES="a\nb")
    assert (code, printed) == (2, [f"job.yaml:{said}", "1 error; nothing was sent"])
    assert not server.requests


def test_an_error_in_the_file_does_not_hide_what_the_server_shows(cli: Cli) -> None:
    with serving(paths(v1_models=models("qwen2.5"))) as server:
        _job(cli, f"{server.url}/v1", "samples: 0\n", model="qwen")
        code, printed = _printed(cli, server, "--online")
    assert code == 2
    assert [line.split(": ")[:2] for line in printed[:-1]] == [
        ["job.yaml:3:8", "model"],
        ["job.yaml:4:10", "samples"],
    ]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"<html>", b"[]", b'{"data": 7}', b'{"data": [{"id": 7}]}', b'{"models": null}', b"[" * 9999],
)
def test_a_body_of_another_kind_ends_nothing(body: bytes, cli: Cli) -> None:
    with serving(lambda _: status(200, body)) as server:
        _job(cli, f"{server.url}/v1")
        code, _ = _printed(cli, server)
    assert code == 0


def test_every_format_has_the_severity_and_the_hint(cli: Cli) -> None:
    with serving(paths(v1_models=models("qwen2.5"))) as server:
        _job(cli, f"{server.url}/v1", model="qwen2")
        ended = cli("validate", "job.yaml", "--output-format", "json")
        (warning,) = json.loads(ended.stdout)["warnings"]
        assert (warning["line"], warning["column"], warning["where"]) == (3, 8, "model")
        assert (warning["severity"], warning["hint"]) == (
            "warning",
            "did you mean `qwen2.5`? It has `qwen2.5`",
        )
        ended = cli("validate", "job.yaml", "--output-format", "github")
        assert ended.stdout.startswith("::warning file=job.yaml,line=3,col=8::model: ")
        assert ended.stdout.rstrip().endswith("; did you mean `qwen2.5`? It has `qwen2.5`")
