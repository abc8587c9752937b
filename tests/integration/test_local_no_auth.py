"""The embedded endpoint without a key, and requests that it rejects instead of ignoring."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from batch.errors import UsageError
from batch.local_model.engine_extractive import ExtractiveEngine
from batch.local_model.foreground import serve
from batch.local_model.server import make_app
from batch.wire.dialects.autonomous import SITE, encode
from tests.support.local_model_support import client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.cli_support import Cli

pytestmark = pytest.mark.anyio

TEXT = "The ferry crosses the sound twice a day. It carries cars and cattle. The first crossing is at six."
MESSAGES = [{"role": "user", "content": TEXT}]
COMPLETION = {"model": "summary", "messages": MESSAGES}
JSON_TYPE = {"content-type": "application/json"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def keyless() -> AsyncIterator[aiohttp.ClientSession]:
    """A client without a key, for a server that asks for none."""
    runner = web.AppRunner(make_app(ExtractiveEngine(), None), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
            yield session
    finally:
        await runner.cleanup()


async def test_the_original_client_is_answered() -> None:
    """Its request as it sends it, with the origin that it gives itself."""
    body = {
        "messages": base64.b64encode(json.dumps(MESSAGES).encode()).decode(),
        "threadId": "summary",
        "stream": False,
        "aiAgent": "summary",
    }
    headers = {"accept": "*/*", "origin": SITE, "referer": f"{SITE}/", "time-zone": "America/Los_Angeles"}
    async with (
        keyless() as session,
        session.post("/api/v1/ai/summary", json=body, headers=headers) as response,
    ):
        assert response.status == 200
        (choice,) = (await response.json())["choices"]
    assert choice["delta"] == choice["message"]
    assert choice["delta"]["content"].startswith("The ferry crosses")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        (JSON_TYPE, 200, None),
        ({"content-type": "application/json; charset=utf-8"}, 200, None),
        (JSON_TYPE | {"origin": "http://localhost:3000"}, 200, None),
        (JSON_TYPE | {"origin": "http://127.0.0.1"}, 200, None),
        (JSON_TYPE | {"origin": "https://evil.example"}, 403, "forbidden_origin"),
        (JSON_TYPE | {"origin": "http://localhost.evil.example"}, 403, "forbidden_origin"),
        (JSON_TYPE | {"origin": "null"}, 403, "forbidden_origin"),
        (JSON_TYPE | {"origin": f"{SITE}.evil.example"}, 403, "forbidden_origin"),
        (JSON_TYPE | {"host": "evil.example"}, 403, "forbidden_host"),
        (JSON_TYPE | {"host": "127.0.0.1.evil.example:80"}, 403, "forbidden_host"),
        ({"content-type": "text/plain"}, 415, "unsupported_media_type"),
        ({"content-type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
        ({"content-type": "multipart/form-data"}, 415, "unsupported_media_type"),
    ],
)
async def test_no_page_of_another_site_is_answered(
    headers: dict[str, str], status: int, code: str | None
) -> None:
    body = json.dumps(COMPLETION)
    async with (
        keyless() as session,
        session.post("/v1/chat/completions", data=body, headers=headers) as response,
    ):
        assert response.status == status
        answer = await response.json()
        assert (answer["error"]["code"] if code else answer.get("error")) == code
        assert not [name for name in response.headers if name.lower().startswith("access-control")]


async def test_a_page_that_asks_first_is_allowed_nothing() -> None:
    asks = {"origin": SITE, "access-control-request-method": "POST"}
    async with keyless() as session, session.options("/v1/chat/completions", headers=asks) as response:
        assert response.status == 405
        assert not [name for name in response.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "::"])
async def test_it_is_for_this_machine_alone(host: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--no-auth is only for loopback addresses"):
        await serve(
            "extractive",
            host=host,
            port=0,
            key=None,
            auth=False,
            cache=tmp_path,
            announce=lambda _: None,
            progress=lambda *_: None,
        )
    with pytest.raises(ValueError, match="only requests from this machine"):
        make_app(ExtractiveEngine(), None, loopback_only=False)


def test_a_key_and_none_cannot_be_combined(cli: Cli) -> None:
    ended = cli("serve", "--engine", "extractive", "--no-auth", "--api-key-env", "MY_KEY", MY_KEY="k")
    assert (ended.code, "cannot be combined" in ended.stderr) == (2, True)


REFUSED: list[tuple[str, Any]] = [
    ("tools", [{"type": "function", "function": {"name": "f"}}]),
    ("tool_choice", "required"),
    ("functions", [{"name": "f"}]),
    ("function_call", {"name": "f"}),
    ("n", 2),
    ("best_of", 3),
    ("logprobs", True),
    ("top_logprobs", 5),
    ("logit_bias", {"50256": -100}),
    ("modalities", ["text", "audio"]),
    ("audio", {"voice": "alloy"}),
    ("web_search_options", {}),
]
HARMLESS: list[tuple[str, Any]] = [
    ("tools", []),
    ("tools", None),
    ("tool_choice", "none"),
    ("n", 1),
    ("logprobs", False),
    ("logit_bias", {}),
    ("modalities", ["text"]),
    ("user", "me"),
    ("store", False),
    ("temperature", 0.5),
]


@pytest.mark.parametrize("dialect", ["openai", "autonomous"])
@pytest.mark.parametrize(("name", "value"), REFUSED)
async def test_what_it_cannot_do_is_refused(name: str, value: object, dialect: str) -> None:
    path, body = request(dialect, name, value)
    async with client(ExtractiveEngine()) as session, session.post(path, data=body) as response:
        error = (await response.json())["error"]
    assert (response.status, error["code"]) == (400, "unsupported_parameter")
    assert f"`{name}`" in error["message"]


@pytest.mark.parametrize("dialect", ["openai", "autonomous"])
@pytest.mark.parametrize(("name", "value"), HARMLESS)
async def test_what_asks_for_nothing_is_not(name: str, value: object, dialect: str) -> None:
    path, body = request(dialect, name, value)
    async with client(ExtractiveEngine()) as session, session.post(path, data=body) as response:
        assert response.status == 200


def request(dialect: str, name: str, value: object) -> tuple[str, bytes]:
    if dialect == "openai":
        return "/v1/chat/completions", json.dumps(COMPLETION | {name: value}).encode()
    return "/api/v1/ai/summary", encode("summary", MESSAGES, {name: value}, thread_id="t", stream=False)
