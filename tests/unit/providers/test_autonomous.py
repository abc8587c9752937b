"""AutonomousAI by its generator interface, against a recording server and the embedded endpoint."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from aiohttp import ClientSession, web

from batch import AttemptError, AutonomousAI, FinishReason, ModelNotFoundError
from batch.local_model.parent import started
from batch.providers.generator_api import AsyncGeneratorProvider, ProviderModelMixin
from tests.conftest import CACHE
from tests.support.chat_server import ChatServer, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from multidict import CIMultiDictProxy

    from batch.local_model.endpoint import Endpoint
    from batch.records import JSONObject

pytestmark = pytest.mark.anyio

PATHS = {
    "llama": "/api/v1/ai/chat",
    "qwen_coder": "/api/v1/ai/chat",
    "hermes": "/api/v1/ai/chat-hermes",
    "vision": "/api/v1/ai/chat-vision",
    "summary": "/api/v1/ai/summary",
}
ALIASES = {
    "llama-3.3-70b": "llama",
    "qwen-2.5-coder-32b": "qwen_coder",
    "hermes-3": "hermes",
    "llama-3.2-90b": "vision",
    "llama-3.2-70b": "summary",
}
NAMES = {**{model: model for model in PATHS}, **ALIASES, "": "llama"}
WEIGHTS = Path(CACHE) / "promptjobs"
HELLO: list[JSONObject] = [{"role": "user", "content": "hello"}]


class Recorder(ChatServer):
    """Also keeps the headers, and the body as it came."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: list[CIMultiDictProxy[str]] = []
        self.bodies: list[dict[str, Any]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(request.headers)
        self.bodies.append(json.loads(await request.read()))
        return await super().handle(request)


@pytest.fixture
async def server() -> AsyncIterator[Recorder]:
    recorder = Recorder()
    async with serving(recorder):
        yield recorder


async def ask(model: str, messages: list[JSONObject] = HELLO, **settings: Any) -> tuple[str, FinishReason]:
    """The whole text, and the finish reason that came last and only last."""
    *pieces, last = [
        piece async for piece in AutonomousAI.create_async_generator(model, messages, **settings)
    ]
    assert isinstance(last, FinishReason)
    texts = [piece for piece in pieces if isinstance(piece, str)]
    assert len(texts) == len(pieces)
    return "".join(texts), last


# Its shape


def test_the_class_is_what_callers_know() -> None:
    assert issubclass(AutonomousAI, AsyncGeneratorProvider)
    assert issubclass(AutonomousAI, ProviderModelMixin)
    assert AutonomousAI.url == "https://www.autonomous.ai/anon/"
    assert AutonomousAI.api_endpoints == {
        model: f"https://chatgpt.autonomous.ai{path}" for model, path in PATHS.items()
    }
    assert AutonomousAI.working
    assert AutonomousAI.supports_stream
    assert AutonomousAI.supports_system_message
    assert AutonomousAI.supports_message_history
    assert AutonomousAI.default_model == "llama"
    assert AutonomousAI.models == list(PATHS)
    assert AutonomousAI.model_aliases == ALIASES


@pytest.mark.parametrize(("name", "model"), NAMES.items())
def test_get_model_gives_the_canonical_name(name: str, model: str) -> None:
    assert AutonomousAI.get_model(name) == model


@pytest.mark.parametrize("name", ["lama", "LLAMA", " ", "llama-3.3", "gpt-4"])
async def test_an_unknown_model_is_an_error_that_lists_the_known(name: str, server: Recorder) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        AutonomousAI.get_model(name)
    assert repr(name) in str(caught.value)
    assert all(known in str(caught.value) for known in [*PATHS, *ALIASES])
    with pytest.raises(ModelNotFoundError):
        await ask(name, base_url=server.url)
    assert server.seen == []


# On the wire


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("name", "model"), NAMES.items())
async def test_every_name_in_both_modes(server: Recorder, name: str, model: str, *, stream: bool) -> None:
    assert await ask(name, stream=stream, base_url=server.url) == ("echo: hello", FinishReason("stop"))
    assert server.paths == [PATHS[model]]
    assert server.bodies[0]["aiAgent"] == model
    assert server.bodies[0]["stream"] is stream


async def test_stream_yields_the_pieces_as_they_come_and_else_the_whole(server: Recorder) -> None:
    for stream, pieces in [(True, ["echo: h", "ello"]), (False, ["echo: hello"])]:
        answer = AutonomousAI.create_async_generator("llama", HELLO, stream=stream, base_url=server.url)
        assert [piece async for piece in answer] == [*pieces, FinishReason("stop")]


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "Привет, мир",
        "👩‍👩‍👧 ≠ 👨",
        "",
        " \n\t\r\n",
        "data: [DONE]\n\n",
        '{"a": "\\"}',
        "\x00\x1b[2J",
        "é" * 70_000,
    ],
    ids=ascii,
)
async def test_the_messages_are_sent_as_base64_of_their_json(server: Recorder, text: str) -> None:
    messages: list[JSONObject] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": text},
        {"role": "assistant", "content": "ответ"},
        {"role": "user", "content": text},
    ]
    answer, _ = await ask("llama", messages, stream=True, base_url=server.url)
    packed = server.bodies[0]["messages"]
    assert json.loads(base64.b64decode(packed, validate=True).decode()) == messages
    assert answer == f"echo: {text}"


@pytest.mark.parametrize("text", ["half \ud83d of a pair", "\ude00", "\ud83d\ude00", "a\udcffb"], ids=ascii)
async def test_half_of_a_surrogate_pair_does_not_raise(server: Recorder, text: str) -> None:
    await ask("llama", [{"role": "user", "content": text}], stream=True, base_url=server.url)
    (sent,) = server.prompts
    assert "\ufffd" in sent or sent == "😀"


async def test_each_call_is_a_conversation_of_its_own_by_default(server: Recorder) -> None:
    for _ in range(3):
        await ask("llama", base_url=server.url)
    for _ in range(2):
        await ask("llama", base_url=server.url, thread_id="mine")
    threads = [body["threadId"] for body in server.bodies]
    assert len(set(threads[:3])) == 3
    assert threads[3:] == ["mine", "mine"]


async def test_sampling_parameters_are_fields_of_their_own_and_replace_none_of_the_protocol(
    server: Recorder,
) -> None:
    params: dict[str, Any] = {
        "temperature": 0,
        "max_tokens": 5,
        "stop": ["\n"],
        "aiAgent": "hermes",
        "threadId": "x",
    }
    await ask("summary", stream=True, base_url=server.url, **params)
    (body,) = server.bodies
    assert {key: body[key] for key in ("temperature", "max_tokens", "stop")} == {
        "temperature": 0,
        "max_tokens": 5,
        "stop": ["\n"],
    }
    assert (body["aiAgent"], body["threadId"] != "x") == ("summary", True)
    await ask("summary", base_url=server.url)
    assert set(server.bodies[1]) == {"messages", "threadId", "stream", "aiAgent"}


async def test_the_headers_are_those_of_the_protocol(server: Recorder) -> None:
    await ask("llama", base_url=server.url)
    (headers,) = server.headers
    assert {
        name: headers[name] for name in ("accept", "accept-encoding", "content-type", "origin", "referer")
    } == {
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "origin": "https://www.autonomous.ai",
        "referer": "https://www.autonomous.ai/",
    }
    assert all(headers[name] for name in ("accept-language", "country-code", "time-zone"))
    assert headers["user-agent"].startswith("promptjobs/")
    assert "authorization" not in headers
    assert "cookie" not in headers


async def test_every_header_can_be_set_and_a_key_shown(server: Recorder) -> None:
    await ask(
        "llama", base_url=server.url, api_key="sesame", headers={"User-Agent": "mine/1", "country-code": "RU"}
    )
    (headers,) = server.headers
    assert headers.getall("user-agent") == ["mine/1"]
    assert headers.getall("country-code") == ["RU"]
    assert headers["authorization"] == "Bearer sesame"


# Through a proxy


@asynccontextmanager
async def proxy(passed: list[tuple[str, str]]) -> AsyncIterator[str]:
    """A proxy for plain HTTP; ``passed`` records the URL and the credentials of each request."""

    async def forward(request: web.BaseRequest) -> web.StreamResponse:
        passed.append((str(request.url), request.headers.get("proxy-authorization", "")))
        async with ClientSession() as session, session.post(request.url, data=await request.read()) as answer:
            return web.Response(body=await answer.read(), content_type=answer.content_type)

    runner = web.ServerRunner(web.Server(forward, access_log=None))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_proxy_is_used_and_shown_its_password(server: Recorder) -> None:
    passed: list[tuple[str, str]] = []
    async with proxy(passed) as address:
        answer = await ask("hermes", proxy=f"http://me:sesame@{address}", stream=True, base_url=server.url)
    assert answer == ("echo: hello", FinishReason("stop"))
    credentials = base64.b64encode(b"me:sesame").decode()
    assert passed == [(f"{server.url}/api/v1/ai/chat-hermes", f"Basic {credentials}")]


async def test_an_unreachable_proxy_is_named_without_its_password(server: Recorder) -> None:
    with pytest.raises(AttemptError) as caught:
        await ask("hermes", proxy="http://me:sesame@127.0.0.1:9", base_url=server.url)
    assert caught.value.failure.code == "connect"
    assert "sesame" not in str(caught.value)
    assert server.seen == []


# What can go wrong


class Cut(ChatServer):
    """Sends half of an answer and closes the connection."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b'data: {"choices": [{"delta": {"content": "half an ans"}}]}\n\n')
        assert request.transport is not None
        request.transport.close()
        return response


async def test_a_truncated_stream_is_an_error_that_keeps_its_text() -> None:
    async with serving(Cut()) as server:
        answer = AutonomousAI.create_async_generator("llama", HELLO, stream=True, base_url=server.url)
        assert await anext(answer) == "half an ans"
        with pytest.raises(AttemptError) as caught:
            await anext(answer)
    assert caught.value.failure.code == "truncated"
    assert caught.value.failure.partial_text == "half an ans"


async def test_a_refusal_is_an_error_with_the_servers_words(server: Recorder) -> None:
    server.key = "sesame"
    with pytest.raises(AttemptError, match="returned 401 Unauthorized: the key is wrong") as caught:
        await ask("llama", base_url=server.url, api_key="wrong-key-7163")
    assert caught.value.failure.http_status == 401
    assert "7163" not in str(caught.value)


class Endless(ChatServer):
    """Sends output until the client disconnects."""

    def __init__(self) -> None:
        super().__init__()
        self.hung_up = anyio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await response.write(b'data: {"choices": [{"delta": {"content": "and "}}]}\n\n')
        except ConnectionError:
            self.hung_up.set()
            return response


async def test_closing_a_generator_closes_its_connection() -> None:
    server = Endless()
    async with serving(server):
        answer = AutonomousAI.create_async_generator("llama", HELLO, stream=True, base_url=server.url)
        assert str(await anext(answer)).startswith("and ")
        await answer.aclose()
        with anyio.fail_after(10):
            await server.hung_up.wait()


# Against a real model server

TEXT = (
    "The lighthouse was built in 1871 by engineers from the coast. Its lamp burned oil for sixty years. "
    "Ships relied on the lighthouse and its lamp in every winter storm. The keeper lived alone. "
    "Today the lamp is electric and the lighthouse is a museum."
)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Of the module, as its endpoint is."""
    return "asyncio"


@pytest.fixture(scope="module")
async def embedded() -> AsyncIterator[Endpoint]:
    async with started("extractive", cache=WEIGHTS, progress=lambda done, total: None) as (endpoint, _):
        yield endpoint


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", NAMES)
async def test_the_embedded_endpoint_answers_to_every_name(
    embedded: Endpoint, name: str, *, stream: bool
) -> None:
    text, finish = await ask(
        name,
        [{"role": "user", "content": TEXT}],
        stream=stream,
        base_url=embedded.base_url,
        api_key=embedded.api_key,
    )
    sentences = {sentence.strip(" .") for sentence in TEXT.split(". ")}
    quoted = {sentence.strip(" .") for sentence in text.split(". ")}
    assert quoted < sentences
    assert quoted
    assert finish == FinishReason("stop")


async def test_the_embedded_endpoint_asks_for_its_key(embedded: Endpoint) -> None:
    with pytest.raises(AttemptError, match="auth"):
        await ask("llama", base_url=embedded.base_url)


async def test_real_weights_answer_too() -> None:
    pytest.importorskip("xllamacpp")
    async with started("llama", cache=WEIGHTS, progress=lambda done, total: None) as (endpoint, _):
        text, finish = await ask(
            "llama-3.3-70b",
            [{"role": "user", "content": "Name the capital of France."}],
            stream=True,
            base_url=endpoint.base_url,
            api_key=endpoint.api_key,
            temperature=0,
            max_tokens=24,
        )
    assert "Paris" in text
    assert finish.reason in ("stop", "length")
