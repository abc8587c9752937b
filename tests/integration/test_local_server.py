"""The embedded endpoint's HTTP side: a real server on loopback, with engines that need no weights."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.local_model.chat import Chat, ChatError, Ending, Message, OnDelta
from batch.local_model.engine_extractive import ExtractiveEngine
from batch.local_model.extractive import summarise
from batch.local_model.inference import Inference
from batch.local_model.server_dialects import read_autonomous, read_openai
from batch.loopback import is_loopback
from batch.records import Usage
from batch.wire.dialects.autonomous import ALIASES, MODELS, encode
from tests.support.local_model_support import AUTHORIZED, KEY, TalkativeEngine, client, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openai.types.chat import ChatCompletionMessageParam

pytestmark = pytest.mark.anyio

DOCUMENT = (
    "The ferry crosses the sound twice a day. It carries cars and cattle. The first crossing is at six. "
    "In winter the ferry crosses only once. Storms keep it in port for days. The islanders are used to it."
)
SUMMARY = " ".join(summarise(DOCUMENT))
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": DOCUMENT}]
USAGE = {
    "prompt_tokens": len(DOCUMENT.split()) + 2,
    "completion_tokens": len(SUMMARY.split()),
    "total_tokens": len(DOCUMENT.split()) + 2 + len(SUMMARY.split()),
}
COMPLETIONS = "/v1/chat/completions"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with client(ExtractiveEngine()) as session:
        yield session


def autonomous(model: str = "summary", *, stream: bool = True) -> bytes:
    return encode(model, MESSAGES, {"temperature": 0.5}, thread_id="t-1", stream=stream)


def events(body: bytes) -> list[Any]:
    """The events of a stream: decoded JSON, and the closing ``[DONE]`` as it stands."""
    *lines, rest = body.decode().split("\n\n")
    assert rest == ""
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def text_of(chunks: list[Any]) -> str:
    return "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"])


@pytest.mark.parametrize("model", MODELS)
async def test_every_agent_answers_on_its_path(model: str, session: aiohttp.ClientSession) -> None:
    async with session.post(MODELS[model], data=autonomous(model)) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        *deltas, finish, usage = events(await response.read())
    assert text_of(deltas) == SUMMARY
    assert len(deltas) == len(SUMMARY.split())
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []
    assert usage["usage"] == USAGE


async def test_an_agent_asked_for_the_whole_gives_one_object(session: aiohttp.ClientSession) -> None:
    async with session.post(MODELS["summary"], data=autonomous(stream=False)) as response:
        assert response.content_type == "application/json"
        answer = await response.json()
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": SUMMARY}
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"] == USAGE
    assert answer["model"] == "extractive"


@pytest.mark.parametrize("model", [*MODELS, *ALIASES, "extractive"])
async def test_a_completion_takes_every_name_of_a_model(model: str, session: aiohttp.ClientSession) -> None:
    async with session.post(COMPLETIONS, json={"model": model, "messages": MESSAGES}) as response:
        assert (await response.json())["choices"][0]["message"]["content"] == SUMMARY


@pytest.mark.parametrize(("options", "with_usage"), [({}, False), ({"include_usage": True}, True)])
async def test_a_streamed_completion_has_usage_only_where_it_was_asked_for(
    options: dict[str, bool], with_usage: bool, session: aiohttp.ClientSession
) -> None:
    body = {"model": "summary", "messages": MESSAGES, "stream": True, "stream_options": options}
    async with session.post(COMPLETIONS, json=body) as response:
        chunks = events(await response.read())
    assert text_of(chunks) == SUMMARY
    assert [chunk["usage"] for chunk in chunks if "usage" in chunk] == [USAGE] * with_usage


async def test_the_openai_sdk_reads_it_whole_and_streamed() -> None:
    messages: list[ChatCompletionMessageParam] = [
        {"role": "user", "content": [{"type": "text", "text": DOCUMENT}]}
    ]
    async with (
        served(ExtractiveEngine()) as base_url,
        openai.AsyncOpenAI(base_url=base_url + "/v1", api_key=KEY) as sdk,
    ):
        whole = await sdk.chat.completions.create(model="summary", messages=messages)
        assert whole.choices[0].message.content == SUMMARY
        stream = await sdk.chat.completions.create(
            model="summary", messages=messages, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices) == SUMMARY
        assert chunks[-1].usage is not None
        models = [model.id async for model in sdk.models.list()]
        assert set(models) == {*MODELS, *ALIASES, "extractive"}
        with pytest.raises(openai.NotFoundError) as caught:
            await sdk.chat.completions.create(model="gpt-9", messages=messages)
        assert caught.value.code == "model_not_found"


def in_base64(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


GOOD: dict[str, Any] = {
    "messages": in_base64(MESSAGES),
    "threadId": "t",
    "stream": True,
    "aiAgent": "summary",
}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{not json",
        b"\xff",
        b"[" * 100_000,
        {**GOOD, "messages": "not base64!"},
        {**GOOD, "messages": GOOD["messages"] + "é"},
        {**GOOD, "messages": base64.b64encode(b"{broken").decode()},
        {**GOOD, "messages": base64.b64encode(b'"\xff"').decode()},
        {**GOOD, "messages": in_base64([])},
        {**GOOD, "messages": in_base64(["text"])},
        {**GOOD, "messages": in_base64([{"role": "wizard", "content": "x"}])},
        {**GOOD, "messages": in_base64([{"role": "user", "content": "  "}])},
        {**GOOD, "messages": in_base64([{"role": "system", "content": DOCUMENT}])},
        {**GOOD, "messages": MESSAGES},
        {**GOOD, "aiAgent": "llama"},
        {**GOOD, "aiAgent": "llama-3.2-70b"},
        {**GOOD, "aiAgent": "nobody"},
        {**GOOD, "aiAgent": None},
        {**GOOD, "stream": "yes"},
        {**GOOD, "temperature": "hot"},
        {key: value for key, value in GOOD.items() if key != "aiAgent"},
        {key: value for key, value in GOOD.items() if key != "threadId"},
    ],
)
async def test_a_bad_request_gets_an_error(body: Any, session: aiohttp.ClientSession) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with session.post(MODELS["summary"], data=data) as response:
        assert response.status == 400
        assert response.content_type == "application/json"
        error = (await response.json())["error"]
    assert error["message"]
    assert error["type"] == "invalid_request_error"
    assert error["code"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"model": "gpt-9", "messages": MESSAGES}, 404, "model_not_found"),
        ({"messages": MESSAGES}, 400, "invalid_request"),
        ({"model": "summary"}, 400, "invalid_request"),
        ({"model": "summary", "messages": "x"}, 400, "invalid_request"),
        ({"model": "summary", "messages": []}, 400, "invalid_request"),
        ({"model": "summary", "messages": [{"role": "user", "content": ""}]}, 400, "no_sentences"),
        (
            {"model": "vision", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            400,
            "unsupported_content",
        ),
    ],
)
async def test_a_bad_completion_gets_an_error(
    body: Any, status: int, code: str, session: aiohttp.ClientSession
) -> None:
    async with session.post(COMPLETIONS, json=body) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (status, code)


@given(st.binary() | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode()))
def test_no_body_breaks_a_reader(body: bytes) -> None:
    with pytest.raises(ChatError):
        read_autonomous(body, MODELS["summary"])
    with pytest.raises(ChatError):
        read_openai(body, "extractive")


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong", KEY, f"Bearer {KEY}x", "Basic é"]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models"),
        ("OPTIONS", "/x"),
        *(("POST", path) for path in sorted({COMPLETIONS, *MODELS.values()})),
    ],
)
async def test_nothing_is_answered_without_the_key(method: str, path: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    async with served(ExtractiveEngine()) as base_url, aiohttp.ClientSession(base_url) as stranger:
        async with stranger.request(method, path, headers=headers, data=autonomous()) as response:
            assert response.status == 401
            body = await response.text()
        async with stranger.get("/health") as health:
            assert await health.json() == {"status": "ok"}
    assert json.loads(body)["error"]["code"] == "invalid_api_key"
    assert KEY not in body


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:80", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8080", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example:80", 403),
        ("192.168.0.1", 403),
        ("[::1]evil", 403),
        ("", 403),
    ],
)
async def test_only_a_loopback_name_is_answered(host: str, status: int) -> None:
    async with (
        client(ExtractiveEngine()) as session,
        session.get("/v1/models", headers={"host": host}) as response,
    ):
        assert response.status == status


async def test_a_server_for_others_answers_under_any_name() -> None:
    async with (
        client(ExtractiveEngine(), loopback_only=False) as session,
        session.get("/v1/models", headers={"host": "box.example"}) as response,
    ):
        assert response.status == 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.8.9.1", True), ("::1", True), ("0.0.0.0", False), ("::", False), ("", False)],
)
def test_loopback_is_what_others_cannot_reach(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "http_404"), ("GET", COMPLETIONS, 405, "http_405")],
)
async def test_a_missing_path_is_an_error_in_json(
    method: str, path: str, status: int, code: str, session: aiohttp.ClientSession
) -> None:
    async with session.request(method, path) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (status, code)


async def test_a_body_over_the_cap_is_refused(session: aiohttp.ClientSession) -> None:
    async with session.post(COMPLETIONS, data=io.BytesIO(b" " * (16 * 1024 * 1024 + 1))) as response:
        assert response.status == 413
        assert (await response.json())["error"]["code"] == "http_413"


async def test_no_other_origin_may_read_an_answer(session: aiohttp.ClientSession) -> None:
    async with session.get("/v1/models", headers={"origin": "https://evil.example"}) as response:
        assert response.status == 200
        assert not [name for name in response.headers if name.lower().startswith("access-control")]


async def test_the_connection_is_kept_for_the_next_request() -> None:
    reused: list[bool] = []
    trace = aiohttp.TraceConfig()

    async def note(*_: object) -> None:
        reused.append(True)

    trace.on_connection_reuseconn.append(note)
    async with (
        served(ExtractiveEngine()) as base_url,
        aiohttp.ClientSession(base_url, headers=AUTHORIZED, trace_configs=[trace]) as session,
    ):
        for _ in range(3):
            async with session.post(MODELS["summary"], data=autonomous()) as response:
                await response.read()
    assert reused == [True, True]


async def test_a_client_that_leaves_a_stream_stops_its_generation() -> None:
    engine = TalkativeEngine()
    async with client(engine) as session:
        async with session.post(MODELS["summary"], data=autonomous()) as response:
            assert (await response.content.readline()).startswith(b"data: ")
            response.close()
        assert await asyncio.to_thread(engine.stopped.wait, 10)


async def test_a_client_that_stops_waiting_for_the_whole_stops_its_generation() -> None:
    engine = TalkativeEngine()
    async with client(engine) as session:
        request = asyncio.create_task(
            session.post(MODELS["summary"], data=autonomous(stream=False)).__aenter__()
        )
        assert await asyncio.to_thread(engine.began.wait, 10)
        request.cancel()
        assert await asyncio.to_thread(engine.stopped.wait, 10)
    with pytest.raises(asyncio.CancelledError):
        await request


class FailingEngine:
    """Says one word and breaks."""

    name = served_by = "failing"
    parallel = 1

    def answer(self, chat: Chat, on_delta: OnDelta) -> Ending:
        on_delta("Well")
        raise ChatError("the model broke", "engine_failed", 500)


async def test_what_breaks_in_the_middle_ends_the_stream_with_an_error_and_without_done() -> None:
    async with (
        client(FailingEngine()) as session,
        session.post(MODELS["summary"], data=autonomous()) as response,
    ):
        first, last, rest = (await response.read()).split(b"\n\n")
    assert json.loads(first.removeprefix(b"data: "))["choices"][0]["delta"]["content"] == "Well"
    assert json.loads(last.removeprefix(b"data: "))["error"]["type"] == "server_error"
    assert rest == b""


class RecordingEngine:
    """Answers with nothing, and remembers who asked."""

    name = served_by = "recording"
    parallel = 1

    def __init__(self) -> None:
        self.asked: list[str] = []

    def answer(self, chat: Chat, on_delta: OnDelta) -> Ending:
        self.asked.append(chat.last_user_text())
        return Ending("stop", Usage())


async def ignore(text: str) -> None:
    """Nobody listens."""


async def test_a_burst_is_answered_in_the_order_it_came() -> None:
    engine = RecordingEngine()
    inference = Inference(engine)
    names = [str(n) for n in range(50)]
    chats = [Chat("llama", [Message("user", name)]) for name in names]
    await asyncio.gather(*(inference.answer(chat, ignore) for chat in chats))
    inference.close()
    assert engine.asked == names


async def test_a_chat_whose_client_left_while_it_waited_is_never_begun() -> None:
    engine = TalkativeEngine()
    inference = Inference(engine)
    chat = Chat("llama", [Message("user", "x")])
    under_way = asyncio.create_task(inference.answer(chat, ignore))
    await asyncio.to_thread(engine.began.wait, 10)
    engine.began.clear()
    waiting = asyncio.create_task(inference.answer(chat, ignore))
    await asyncio.sleep(0)
    waiting.cancel()
    under_way.cancel()
    await asyncio.gather(under_way, waiting, return_exceptions=True)
    assert await asyncio.to_thread(engine.stopped.wait, 10)
    inference.close()
    assert not engine.began.is_set()
