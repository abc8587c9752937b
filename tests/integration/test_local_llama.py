"""The engine with real weights, in a child process. The weights are downloaded if necessary."""

from __future__ import annotations

import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import openai
import pytest

from batch.local_model.chat import Chat, ChatError, Message, Part, Sampling
from batch.local_model.engine_identity import identity
from batch.local_model.engine_llama import CONTEXT, request_body
from batch.local_model.grammar import parts
from batch.local_model.parent import started
from batch.local_model.sentences import quotable
from batch.local_model.weights import DEFAULT, DEFAULT_SHA256, cache_dir, ensure_weights

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openai.types.chat import ChatCompletionMessageParam

    from batch.local_model.endpoint import Endpoint

pytest.importorskip("xllamacpp", reason="needs the extra `local`")
pytestmark = pytest.mark.anyio

CACHE = cache_dir(os.environ, Path.home(), sys.platform)
FERRY = (
    "The ferry crosses the sound twice a day. It carries cars and cattle.\nThe first crossing is at six. "
    "In winter the ferry crosses only once. Storms keep it in port for days. The islanders are used to it. "
    "They keep flour for a month."
)
AWKWARD = (
    'He wrote "C:\\new\\table" on it. The price was 5 € or £4.50. Then [sic] {all} of it | gone. '
    "Ça n’a pas marché. The face was \U0001f600. She asked: “Why?” 最後に雨が降った。"
)


def ignore(done: int, total: int) -> None:
    """Progress that is not shown."""


def from_user(text: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": text}]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def endpoint() -> AsyncIterator[Endpoint]:
    async with started("llama", cache=CACHE, progress=ignore) as (endpoint, _):
        yield endpoint


@asynccontextmanager
async def sdk_for(endpoint: Endpoint) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=endpoint.base_url + "/v1", api_key=endpoint.api_key, max_retries=0
    ) as sdk:
        yield sdk


@pytest.fixture
async def sdk(endpoint: Endpoint) -> AsyncIterator[openai.AsyncOpenAI]:
    async with sdk_for(endpoint) as sdk:
        yield sdk


async def summary(sdk: openai.AsyncOpenAI, text: str) -> str:
    answer = await sdk.chat.completions.create(model="summary", messages=from_user(text))
    assert answer.choices[0].finish_reason == "stop"
    return answer.choices[0].message.content or ""


async def test_the_endpoint_says_which_weights_it_has_loaded(endpoint: Endpoint) -> None:
    assert endpoint.engine == "llama"
    assert endpoint.model == "smollm2-135m-instruct-q4_1"
    assert endpoint.weights_sha256 == DEFAULT_SHA256


@pytest.mark.parametrize("text", [FERRY, AWKWARD], ids=["plain", "awkward"])
async def test_a_summary_quotes_one_sentence_of_each_third(text: str, sdk: openai.AsyncOpenAI) -> None:
    found = quotable(text)
    said = await summary(sdk, text)
    possible = {
        f"{a} {b} {c}" for a in parts(found, 3)[0] for b in parts(found, 3)[1] for c in parts(found, 3)[2]
    }
    assert said in possible


async def test_a_summary_does_not_depend_on_what_was_asked_before(sdk: openai.AsyncOpenAI) -> None:
    first = await summary(sdk, FERRY)
    await summary(sdk, FERRY + " " + AWKWARD)
    assert await summary(sdk, FERRY) == first


async def test_one_sentence_is_its_own_summary(sdk: openai.AsyncOpenAI) -> None:
    assert await summary(sdk, "  It\nrains. ") == "It rains."


async def test_a_stream_ends_with_the_reason_and_the_usage(sdk: openai.AsyncOpenAI) -> None:
    stream = await sdk.chat.completions.create(
        model="llama",
        messages=from_user("Count from one to a hundred."),
        max_completion_tokens=8,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    *chunks, last = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "length"
    assert last.usage is not None
    assert last.usage.completion_tokens == 8
    assert last.usage.total_tokens == last.usage.prompt_tokens + 8


async def test_an_answer_can_be_validated_against_a_schema(sdk: openai.AsyncOpenAI) -> None:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"legs": {"type": "integer"}},
        "required": ["legs"],
    }
    answer = await sdk.chat.completions.create(
        model="qwen_coder",
        messages=from_user("How many legs has a spider?"),
        temperature=0,
        max_tokens=40,
        response_format={"type": "json_schema", "json_schema": {"name": "spider", "schema": schema}},
    )
    assert isinstance(json.loads(answer.choices[0].message.content or "")["legs"], int)


@pytest.mark.parametrize("length", [CONTEXT, 100 * CONTEXT])
async def test_a_prompt_over_the_context_is_refused(length: int, sdk: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.chat.completions.create(model="llama", messages=from_user("word " * length))
    assert caught.value.code == "context_length_exceeded"


async def test_a_parameter_that_llama_refuses_is_a_bad_request(sdk: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="max_tokens"):
        await sdk.chat.completions.create(model="llama", messages=from_user("Hi"), max_tokens=-5)


async def test_a_client_that_leaves_frees_its_slot(sdk: openai.AsyncOpenAI) -> None:
    with anyio.fail_after(20):  # the stories would take minutes
        for _ in range(3):
            async with await sdk.chat.completions.create(
                model="llama", messages=from_user("Tell a very long story."), max_tokens=3000, stream=True
            ) as story:
                await anext(aiter(story))
        await sdk.chat.completions.create(model="llama", messages=from_user("Hi"), max_tokens=1)


async def test_any_gguf_file_can_be_the_engine() -> None:
    path = str(ensure_weights(CACHE, ignore))
    async with started(path, cache=CACHE, progress=ignore) as (endpoint, _):
        assert endpoint.model == Path(DEFAULT.member).stem
        assert {"engine": endpoint.engine, "weights": endpoint.weights_sha256} == identity(path)
        async with sdk_for(endpoint) as sdk:
            answer = await sdk.chat.completions.create(
                model=endpoint.model, messages=from_user("Hi"), max_tokens=2
            )
            assert answer.model == endpoint.model


@pytest.mark.parametrize(
    ("messages", "roles"),
    [
        ([Message("user", "It rains.")], ["system", "user"]),
        ([Message("system", "Be brief."), Message("user", "It rains.")], ["system", "user"]),
        ([Message("developer", "Be brief."), Message("user", "It rains.")], ["system", "user"]),
        (
            [Message("user", "It snows."), Message("assistant", "Oh."), Message("user", "It rains.")],
            ["system", "user", "assistant", "user"],
        ),
    ],
)
def test_a_summary_keeps_the_jobs_system_message(messages: list[Message], roles: list[str]) -> None:
    body = request_body(Chat("summary", messages))
    assert [message["role"] for message in body["messages"]] == roles
    assert (body["messages"][0]["content"] == "Be brief.") == (messages[0].role != "user")
    assert "It rains." in body["grammar"]


def test_parameters_go_to_llama_by_their_names_and_only_those_that_were_set() -> None:
    sampling = Sampling(temperature=0.7, seed=7, stop=["\n"])
    body = request_body(Chat("llama", [Message("user", "Hi")], sampling))
    assert body.items() >= {"temperature": 0.7, "seed": 7, "stop": ["\n"]}.items()
    assert not body.keys() & {"top_p", "max_tokens", "grammar"}


def test_a_summary_is_greedy_unless_the_job_says_otherwise() -> None:
    messages = [Message("user", "It rains.")]
    assert request_body(Chat("summary", messages))["temperature"] == 0
    assert request_body(Chat("summary", messages, Sampling(temperature=1)))["temperature"] == 1


def test_a_picture_is_refused() -> None:
    with pytest.raises(ChatError, match="text only"):
        request_body(Chat("vision", [Message("user", [Part("image_url")])]))
