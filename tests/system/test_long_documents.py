"""A document of 20,000 words through ``jobs/map.yaml`` and ``jobs/reduce.yaml``, by the real command.

A server records what the command sends; the embedded endpoint shows that the job succeeds.
"""

from __future__ import annotations

import json
import re
import signal
from hashlib import blake2b
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from batch.inputs.readers.split import spans
from batch.testing import FaultServer, Pause, answer, status

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.testing import Received, Script
    from tests.conftest import Command

pytestmark = pytest.mark.anyio

JOBS = Path(__file__).parents[2] / "jobs"
STEPS = ("jobs/map.yaml", "jobs/reduce.yaml")
SUBJECTS = "a miller, the ferryman, an old clerk, the widow, a carter, the schoolmaster, a glazier, the smith"
VERBS = "counted, mended, sold, carried home, measured, forgot, drew, hid, found"
OBJECTS = (
    "forty sacks of rye, the broken lantern, a map of the valley, two wet ropes, the parish bell, "
    "a crate of green bottles, the keys of the tower, seven letters from abroad"
)
TIMES = (
    "before noon, in the first week of March, while the river was frozen, after the long drought, "
    "on the day of the fair, when the bridge was closed, in the last hour of daylight"
)
CAUSES = (
    "because nobody else would do it, although the council had forbidden it, for the price of a meal, "
    "as his father had done, and told everyone of it, without a word to the neighbours"
)


def long_text(words: int) -> str:
    """A text of so many words or a few more: different sentences, in paragraphs of five."""
    parts = [part.split(", ") for part in (SUBJECTS, VERBS, OBJECTS, TIMES, CAUSES)]
    every = [" ".join(each) for each in product(*parts)]
    sentences: list[str] = []
    # 4999 has no divisor in common with their number, so each comes once, far from what is like it.
    for number in range(len(every)):
        sentence = every[number * 4999 % len(every)]
        sentences.append(f"{sentence[0].upper()}{sentence[1:]}.")
        words -= len(sentence.split())
        if words <= 0:
            break
    rest = iter(sentences)
    return "\n\n".join(" ".join(group) for group in iter(lambda: list(islice(rest, 5)), []))


TEXT = long_text(20_000)


def chunks_of(text: str) -> list[str]:
    """What the example's ``split`` makes of a text."""
    return [text[span.start : span.end] for span in spans(text, 200)]


def summary(chunk: str) -> str:
    """What the server makes of a chunk: another text for each."""
    return f"Summary {blake2b(chunk.encode(), digest_size=6).hexdigest()}."


class Summariser:
    """Summarises whatever it is asked, but for the prompts in ``refused``; ``before`` sees each request."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.refused: set[str] = set()
        self.before: Callable[[int], None] | None = None

    def __call__(self, received: Received) -> Script:
        prompt = received.messages[-1]["content"]
        self.prompts.append(prompt)
        if self.before is not None:
            self.before(len(self.prompts))
        if prompt in self.refused:
            return status(400, b'{"error": {"message": "not this one"}}', content_type="application/json")
        return [Pause(0.005), *answer(summary(prompt))]


def lay_out(folder: Path, documents: dict[str, str], base_url: str | None = None) -> None:
    """The two examples and some documents; on a server, or else on the engine that needs no weights."""
    (folder / "jobs" / "documents").mkdir(parents=True)
    engine = "base_url: local\nengine: llama\n"
    for name in ("map.yaml", "reduce.yaml"):
        text = (JOBS / name).read_text(encoding="utf-8")
        assert engine in text
        other = f"base_url: {base_url}\n" if base_url else engine.replace("llama", "extractive")
        (folder / "jobs" / name).write_text(text.replace(engine, other), encoding="utf-8")
    for name, text in documents.items():
        (folder / "jobs" / "documents" / name).write_text(text, encoding="utf-8")


def results(folder: Path, name: str) -> list[dict[str, Any]]:
    """The whole lines of an output."""
    *lines, _partial = (folder / "output" / f"{name}.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines]


def test_the_text_is_long_and_repeats_nothing() -> None:
    sentences = re.split(r"(?<=\.)\s+", TEXT)
    assert 20_000 <= len(TEXT.split()) < 20_020
    assert len(set(sentences)) == len(sentences) > 1000
    assert len(chunks_of(TEXT)) > 100


async def test_it_ends_with_one_summary(promptjobs: Command) -> None:
    lay_out(promptjobs.folder, {"long.txt": TEXT})
    ended = await promptjobs("run", *STEPS)
    assert ended.code == 0, ended.stderr
    (reduced,) = results(promptjobs.folder, "reduce")
    assert (reduced["id"], reduced["status"], reduced["verdict"]) == (
        "documents/long.txt",
        "succeeded",
        "complete",
    )
    mapped = {line["metadata"]["chunk"]: line["text"] for line in results(promptjobs.folder, "map")}
    assert sorted(mapped) == list(range(1, len(chunks_of(TEXT)) + 1))
    sentences = re.split(r"(?<=\.) ", reduced["text"])
    assert 1 <= len(sentences) <= 5
    assert all(sentence in TEXT for sentence in sentences)


async def test_killed_in_the_middle_it_resumes_and_every_summary_is_reduced_once(promptjobs: Command) -> None:
    chunks = chunks_of(TEXT)
    output = promptjobs.folder / "output" / "map.jsonl"
    summariser = Summariser()
    async with FaultServer(summariser) as server:
        lay_out(promptjobs.folder, {"long.txt": TEXT}, server.url)
        async with await anyio.open_process(
            promptjobs.arguments("run", *STEPS), cwd=promptjobs.folder, env=promptjobs.environment
        ) as process:

            def kill_in_the_middle(number: int) -> None:
                if number >= len(chunks) // 2 and b"\n" in output.read_bytes():
                    process.kill()

            summariser.before = kill_in_the_middle
            with anyio.fail_after(60):
                assert await process.wait() == -signal.SIGKILL
        kept = results(promptjobs.folder, "map")
        assert 0 < len(kept) < len(chunks)
        assert {line["status"] for line in kept} == {"succeeded"}
        assert not (promptjobs.folder / "output" / "reduce.jsonl").exists()

        summariser.before = None
        summariser.prompts.clear()
        ended = await promptjobs("run", *STEPS)
        assert ended.code == 0, ended.stderr

    done = {line["metadata"]["chunk"] for line in kept}
    pending = [chunk for number, chunk in enumerate(chunks, 1) if number not in done]
    *mapped, reduced = summariser.prompts
    assert sorted(mapped) == sorted(pending)
    assert reduced.split() == " ".join(map(summary, chunks)).split()
    (result,) = results(promptjobs.folder, "reduce")
    assert result["text"] == summary(reduced)


async def test_a_document_with_a_chunk_that_was_not_asked_yet_is_not_reduced(promptjobs: Command) -> None:
    summariser = Summariser()
    async with FaultServer(summariser) as server:
        lay_out(promptjobs.folder, {"long.txt": long_text(1_000)}, server.url)
        assert (await promptjobs("run", "jobs/map.yaml", "--limit", "5")).code == 8
        ended = await promptjobs("run", "jobs/reduce.yaml")
    assert ended.code == 2
    assert '"documents/long.txt": no result for chunk' in ended.stderr
    assert len(summariser.prompts) == 5


async def test_a_document_with_a_failed_chunk_is_not_reduced_silently(promptjobs: Command) -> None:
    documents = {"bad.txt": long_text(1_000), "good.txt": "A short one. It fits into one chunk."}
    chunks = chunks_of(documents["bad.txt"])
    summariser = Summariser()
    summariser.refused = {chunks[1]}
    reduces = [f"{summary(documents['good.txt'])}\n\n\n", "\n\n".join([*map(summary, chunks), "\n"])]
    async with FaultServer(summariser) as server:
        lay_out(promptjobs.folder, documents, server.url)
        ended = await promptjobs("run", *STEPS)
        assert ended.code == 1
        assert ended.stderr.splitlines()[-1] == "jobs/reduce.yaml was not run: jobs/map.yaml is not complete"
        assert sorted(summariser.prompts) == sorted([*chunks, documents["good.txt"]])

        summariser.prompts.clear()
        alone = await promptjobs("run", "jobs/reduce.yaml")
        assert alone.code == 2
        assert 'documents/bad.txt": "bad.txt/2" (bad_request) has failed' in alone.stderr
        assert summariser.prompts == []

        skipping = await promptjobs("run", "jobs/reduce.yaml", "--set", "inputs.on_bad_row=skip")
        assert skipping.code == 1
        assert summariser.prompts == reduces[:1]
        by_id = {line["id"]: line for line in results(promptjobs.folder, "reduce")}
        assert by_id["documents/bad.txt"]["error"]["code"] == "bad_row"

        summariser.refused = set()
        summariser.prompts.clear()
        assert (await promptjobs("retry", "jobs/map.yaml")).code == 0
        assert (await promptjobs("run", *STEPS)).code == 0
        assert summariser.prompts == [chunks[1], reduces[1]]


async def test_a_document_that_grows_or_shrinks_is_reduced_again(
    promptjobs: Command,
) -> None:
    text = long_text(1_000)
    longer, shorter = f"{text}\n\nAnd one more. It is the last.", text[: len(text) // 2]
    summariser = Summariser()
    async with FaultServer(summariser) as server:
        lay_out(promptjobs.folder, {"long.txt": text}, server.url)
        assert (await promptjobs("run", *STEPS)).code == 0
        for now, flags in ((longer, []), (shorter, ["--prune"])):
            (promptjobs.folder / "jobs" / "documents" / "long.txt").write_text(now, encoding="utf-8")
            summariser.prompts.clear()
            ended = await promptjobs("run", *STEPS, *flags)
            assert ended.code == 0, ended.stderr
            *mapped, reduced = summariser.prompts
            assert len(mapped) < len(chunks_of(now)) // 2
            assert reduced.split() == " ".join(map(summary, chunks_of(now))).split()
