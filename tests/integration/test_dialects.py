"""The seam of dialects: what each must do, and that a third one needs its module and one line."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import batch
from batch.errors import JobFileError, ModelNotFoundError, UsageError
from batch.jobfile.load import load_mapping
from batch.jobfile.schema.json_schema import json_schema
from batch.providers.client import HttpClient
from batch.providers.credentials import Credentials
from batch.providers.dialect_endpoint import DialectEndpoint
from batch.providers.timeouts import Timeouts
from batch.records import Failure, Request
from batch.testing import FaultServer, answer, status
from batch.testing.dialects import DialectConformance
from batch.wire.dialects import autonomous, openai, registry
from batch.wire.dialects.registry import dialect_of, names
from tests.support import echo_dialect

if TYPE_CHECKING:
    from pathlib import Path

    from batch.testing import Received, Script
    from batch.wire.dialects.protocol import Dialect

KEY = "sk-a-secret-key-of-some-length-0123456789"


class TestOpenAI(DialectConformance):
    dialect = openai


class TestAutonomous(DialectConformance):
    dialect = autonomous


class TestEcho(DialectConformance):
    dialect = echo_dialect


# The suite finds what is wrong


class _Broken:
    """The echo dialect with one member replaced."""

    def __init__(self, **replaced: object) -> None:
        self.__dict__ |= {**vars(echo_dialect), **replaced}


def _of(**replaced: object) -> Any:
    suite = DialectConformance()
    suite.__dict__["dialect"] = _Broken(**replaced)
    return suite


def _no_base_url(base_url: str, model: str) -> str:
    return f"https://elsewhere.test/{model}"


def _forgetful(model: str, messages: object, params: object, **_: object) -> bytes:
    return b"{}"


def _failing(*_: object, **__: object) -> bytes:
    raise ValueError


def _replaceable(model: str, messages: Any, params: Any, *, stream: bool, **_: object) -> bytes:
    return json.dumps({"say": list(messages), "live": stream, **params}).encode()


@pytest.mark.parametrize(
    ("check", "replaced"),
    [
        ("test_names_lead_to_canonical_names", {"ALIASES": {"piano": "silent"}}),
        ("test_names_lead_to_canonical_names", {"NAME": ""}),
        ("test_an_unknown_model_is_an_error", {"canonical": str}),
        ("test_an_unknown_model_is_an_error", {"MODELS": None}),
        ("test_a_job_without_an_address_has_one_or_an_error_says_so", {"DEFAULT_URL": "ftp://h"}),
        ("test_requests_go_below_the_base_url", {"url": _no_base_url}),
        ("test_headers_are_lines_and_hold_no_key", {"headers": lambda agent, stream: {"User-Agent": agent}}),
        ("test_headers_are_lines_and_hold_no_key", {"key_headers": lambda key: {"user-agent": key}}),
        ("test_the_body_depends_on_the_request_alone", {"encode": _forgetful}),
        ("test_no_parameter_replaces_a_field_of_the_dialect", {"encode": _replaceable}),
        ("test_only_optional_fields_can_be_refused", {"refuses_optional": lambda failure, stream: True}),
        ("test_an_answer_comes_back", {"encode": _failing}),
    ],
)
def test_a_dialect_that_breaks_a_rule_fails_its_tests(check: str, replaced: dict[str, object]) -> None:
    with pytest.raises(AssertionError):
        getattr(_of(**replaced), check)()


# The registry


def test_each_dialect_is_registered_by_its_own_name() -> None:
    modules: list[Dialect] = [openai, autonomous]
    assert names() == ["openai", "autonomous"]
    assert [dialect_of(name) for name in names()] == modules
    assert [dialect.NAME for dialect in modules] == names()


@pytest.mark.parametrize("name", ["anthropic", "", "OpenAI", "openai ", "batch.wire.dialects.openai"])
def test_no_dialect_stands_in_for_one_that_is_unknown(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        dialect_of(name)
    assert str(caught.value) == f"unknown dialect {name!r}; known: openai, autonomous"


def test_a_job_that_names_an_unknown_dialect_is_an_error(tmp_path: Path) -> None:
    job = {"provider": "opena", "model": "m", "base_url": "http://127.0.0.1:9", "prompt": "?"}
    with pytest.raises(JobFileError) as caught:
        load_mapping(job, tmp_path)
    assert [(diagnostic.where, diagnostic.what) for diagnostic in caught.value.diagnostics] == [
        ("provider", "expected `autonomous` or `openai`")
    ]


def test_dialects_are_imported_when_they_are_named() -> None:
    script = (
        "import sys\n"
        "from batch.wire.dialects.registry import dialect_of, names\n"
        "names()\n"
        "modules = {'batch.wire.dialects.openai', 'batch.wire.dialects.autonomous'}\n"
        "print(sorted(modules & set(sys.modules)))\n"
        "dialect_of('openai')\n"
        "print(sorted(modules & set(sys.modules)))\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n['batch.wire.dialects.openai']\n"


# A third dialect: one module, one line


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(registry.MODULES, "echo", "tests.support.echo_dialect")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ECHO_KEY", KEY)


def _all_files(folder: Path) -> str:
    return "".join(path.read_text("utf-8") for path in folder.rglob("*") if path.is_file())


def job_for(url: str, **more: object) -> dict[str, object]:
    job: dict[str, object] = {
        "provider": "echo",
        "base_url": f"{url}/below",
        "api_key_env": "ECHO_KEY",
        "models": ["fortissimo", {"id": "quiet", "model": "soft"}],
        "prompt": "Say hello",
        "concurrency": 1,
        "params": {"temperature": 0},
    }
    return {**job, **more}


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["stream", "whole"])
async def test_a_third_dialect_runs_a_job(echo: None, mode: str) -> None:
    async with FaultServer(answer("Hello")) as server:
        results = [result async for result in batch.stream(job_for(server.url, mode=mode))]
    assert sorted((result.target, result.text) for result in results) == [
        ("fortissimo", "Hello"),
        ("quiet", "Hello"),
    ]
    seen = {received.target: received for received in server.requests}
    assert sorted(seen) == ["/below/echo/loud", "/below/echo/soft"]
    for path, received in seen.items():
        assert received.headers["x-echo-key"] == base64.b64encode(KEY.encode()).decode()
        assert "authorization" not in received.headers
        body = received.json
        assert (body["to"], body["live"], body["temperature"]) == (path[-4:], mode == "stream", 0)
        assert body["say"] == [{"role": "user", "content": "Say hello"}]


@pytest.mark.anyio
async def test_its_refused_field_is_left_out_from_then_on(echo: None) -> None:
    def script(request: Received) -> Script:
        return status(418) if "trace" in request.json else answer("Hello")

    async with FaultServer(script) as server:
        job = job_for(server.url, models=["soft"], samples=3)
        results = [result async for result in batch.stream(job)]
    assert [(result.text, result.attempts) for result in results] == [("Hello", 1)] * 3
    assert ["trace" in received.json for received in server.requests] == [True, False, False, False]


@pytest.mark.anyio
async def test_its_key_is_kept_out_of_results_in_the_form_in_which_it_is_sent(
    echo: None, tmp_path: Path
) -> None:
    sent = base64.b64encode(KEY.encode()).decode()
    async with FaultServer(status(422, f"wrong: {sent} {KEY}".encode())) as server:
        results = [result async for result in batch.stream(job_for(server.url, models=["soft"]))]
    assert [result.error is not None for result in results] == [True]
    stored = _all_files(tmp_path)
    assert "wrong: " in stored
    assert not any(secret in stored for secret in (sent, KEY))


@pytest.mark.parametrize(
    ("changed", "diagnostic"),
    [
        ({"base_url": None}, "is missing; `echo` has no default address"),
        ({"base_url": "local", "api_key_env": None}, "the embedded endpoint does not speak `echo`"),
        ({"models": ["silent"]}, "echo has no model 'silent'; it has loud, soft, fortissimo"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_its_own_rules_hold_for_job_files(
    echo: None, tmp_path: Path, changed: dict[str, object], diagnostic: str
) -> None:
    job = {key: value for key, value in job_for("http://h", **changed).items() if value is not None}
    with pytest.raises(JobFileError) as caught:
        load_mapping(job, tmp_path)
    assert [found.what for found in caught.value.diagnostics] == [diagnostic]


def test_the_schema_for_editors_has_it(echo: None) -> None:
    (choices,) = [part["enum"] for part in _provider_forms(json_schema()) if "enum" in part]
    assert choices == ["autonomous", "echo", "openai"]


def _provider_forms(schema: Any) -> list[Any]:
    return list(schema["properties"]["provider"]["anyOf"])


def test_a_model_that_it_lacks_is_no_other_s(echo: None) -> None:
    with pytest.raises(ModelNotFoundError):
        dialect_of("echo").canonical("llama")


@pytest.mark.anyio
async def test_only_a_key_in_another_form_makes_a_further_secret() -> None:
    """A key may hold a space, and what follows it may be a word of the answer."""
    said = json.dumps({"error": {"message": "the verybadkeyword is wrong, not my verybadkeyword"}}).encode()
    async with FaultServer(status(401, said)) as server, HttpClient(Timeouts()) as client:
        provider = DialectEndpoint(openai, client, server.url, Credentials("my verybadkeyword"))
        outcome = await provider.complete(Request("a", "f", "m", "m", ({"role": "user", "content": "?"},)))
    assert isinstance(outcome, Failure)
    assert outcome.message == (
        f"POST {server.url}/chat/completions returned 401 Unauthorized: the verybadkeyword is wrong, not …. "
        "Check the job's key."
    )
