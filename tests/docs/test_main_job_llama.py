"""The main job with the real model: what a new user sees after the first line of the README.

``PROMPTJOBS_TEST_SUMMARIES`` names a result file to look at; without it the job is run here, which takes
about a minute.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest

from batch.local_model.parent import started
from batch.local_model.weights import cache_dir

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam

pytest.importorskip("xllamacpp", reason="needs the extra `local`")
pytestmark = [pytest.mark.anyio, pytest.mark.slow]

JOBS = Path(__file__).parents[2] / "jobs"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


@pytest.fixture(scope="module")
def summaries(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    given = os.environ.get("PROMPTJOBS_TEST_SUMMARIES")
    output = Path(given) if given else tmp_path_factory.mktemp("main-job") / "summaries.jsonl"
    if not given:
        arguments = ["-m", "batch", "run", str(JOBS / "summarise.yaml"), "-o", str(output)]
        subprocess.run([sys.executable, *arguments], check=True)
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


def document(result: dict[str, Any]) -> str:
    """The document of a summary, its white space normalised."""
    return " ".join((JOBS / result["metadata"]["path"]).read_text(encoding="utf-8").split())


def test_all_ten_documents_have_their_summary(summaries: list[dict[str, Any]]) -> None:
    assert sorted(result["id"] for result in summaries) == sorted(
        path.name for path in (JOBS / "documents").glob("*.txt")
    )
    assert len(summaries) == 10
    assert {result["status"] for result in summaries} == {"succeeded"}
    assert {result["verdict"] for result in summaries} == {"complete"}
    assert {result["served_by"] for result in summaries} == {"smollm2-135m-instruct-q4_1"}


def test_every_sentence_of_every_summary_is_in_its_document_in_its_order(
    summaries: list[dict[str, Any]],
) -> None:
    for result in summaries:
        sentences = re.split(r"(?<=[.!?]) ", result["text"])
        places = [document(result).find(sentence) for sentence in sentences]
        assert len(sentences) in (2, 3)
        assert -1 not in places
        assert places == sorted(set(places))


def test_the_summaries_are_more_than_the_first_sentences(summaries: list[dict[str, Any]]) -> None:
    leading = [result["id"] for result in summaries if document(result).startswith(result["text"])]
    assert len(leading) <= 5


async def test_the_pinned_weights_were_loaded_and_the_usage_is_the_llama_servers(
    summaries: list[dict[str, Any]],
) -> None:
    cache = cache_dir(os.environ, Path.home(), sys.platform)
    result = min(summaries, key=lambda result: int(result["usage"]["prompt_tokens"]))
    system = re.search(r"^system: (.*)$", (JOBS / "summarise.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    assert system is not None
    text = (JOBS / result["metadata"]["path"]).read_text(encoding="utf-8")
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": system[1]},
        {"role": "user", "content": text},
    ]
    async with started("llama", cache=cache, progress=lambda done, total: None) as (endpoint, _):
        assert endpoint.weights_sha256 == GGUF_SHA256
        async with openai.AsyncOpenAI(base_url=f"{endpoint.base_url}/v1", api_key=endpoint.api_key) as client:
            answer = await client.chat.completions.create(model="summary", messages=messages, max_tokens=400)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == result["usage"]["prompt_tokens"]
    assert answer.usage.completion_tokens == result["usage"]["completion_tokens"]
    assert answer.choices[0].message.content == result["text"]
