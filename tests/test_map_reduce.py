"""Map and reduce by the real command: a long document in chunks, and one summary of all their answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.chat_server import ChatServer, serving
from tests.jobfile_support import write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conftest import Command

pytestmark = pytest.mark.anyio

WORDS = 20_000
MAP = """\
prompt: "{{ chunk }} of {{ chunks }}: {{ text[:12] }}"
inputs: {files: 'documents/*.txt', split: {tokens: 2000, overlap: 100}}
"""
REDUCE = """\
prompt: "{% for item in items %}[{{ item.text }}]{% endfor %}"
inputs: {results: output/map.jsonl, group_by: path}
"""


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with serving(ChatServer()) as running:
        yield running


def _jobs(folder: Path, url: str) -> None:
    sentences = "".join(f"Word{number} " + ("ends. " if number % 9 == 8 else "") for number in range(WORDS))
    write(folder, sentences, "documents/long.txt")
    head = f"provider: openai\nbase_url: {url}/v1\nmodel: m\n"
    write(folder, head + MAP, "map.yaml")
    write(folder, head + REDUCE, "reduce.yaml")


async def test_the_reduce_request_holds_the_answer_to_each_chunk_once_and_in_order(
    promptjobs: Command, tmp_path: Path, server: ChatServer
) -> None:
    _jobs(tmp_path, server.url)
    assert (await promptjobs("run", "map.yaml", "--limit", "5")).code == 8  # stopped in the middle
    assert (await promptjobs("run", "map.yaml", "reduce.yaml")).code == 0
    chunks = sorted(server.prompts[:-1], key=lambda prompt: int(prompt.split()[0]))
    assert len(chunks) == len(set(chunks)) > 20, "none is asked twice"
    assert server.prompts[-1] == "".join(f"[echo: {prompt}]" for prompt in chunks)
    (line,) = (tmp_path / "output" / "reduce.jsonl").read_text(encoding="utf-8").splitlines()
    result = json.loads(line)
    assert (result["id"], result["metadata"]) == ("documents/long.txt", {"path": "documents/long.txt"})


async def test_a_document_with_a_chunk_missing_is_not_reduced(
    promptjobs: Command, tmp_path: Path, server: ChatServer
) -> None:
    _jobs(tmp_path, server.url)
    await promptjobs("run", "map.yaml", "--limit", "5")
    seen = len(server.seen)
    ended = await promptjobs("run", "reduce.yaml")
    assert ended.code == 2
    assert "no result for chunk" in ended.stderr
    assert len(server.seen) == seen
