"""The example jobs beside the main one, run by the real command on the embedded endpoint as they say."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml
from openai.types.chat import ChatCompletion

from batch.app.setup.load_job import load_job
from tests.support.chat_server import ChatServer, serving

if TYPE_CHECKING:
    from tests.conftest import Command

pytestmark = pytest.mark.anyio

JOBS = Path(__file__).parents[2] / "jobs"
IN_HEAD = re.compile(r"^#   promptjobs (.+)$", re.MULTILINE)

with_llama = pytest.mark.skipif(find_spec("xllamacpp") is None, reason="needs the extra `local`")


@pytest.fixture
def jobs(promptjobs: Command) -> Path:
    shutil.copytree(JOBS, promptjobs.folder / "jobs")
    return promptjobs.folder


async def run_head(promptjobs: Command, name: str, *flags: str) -> None:
    """Run the commands in the head of an example, one after the other, all with further flags."""
    commands = IN_HEAD.findall((JOBS / name).read_text(encoding="utf-8"))
    assert commands
    for command in commands:
        ended = await promptjobs(*command.split(), *flags)
        assert ended.code == 0, ended.stderr


def results(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("path", sorted(JOBS.glob("*.yaml")), ids=lambda path: path.name)
def test_an_example_stays_on_this_machine_and_says_how_it_is_run(path: Path) -> None:
    base_url = yaml.safe_load(path.read_text(encoding="utf-8"))["base_url"]
    assert base_url == "local" or base_url.startswith("http://127.0.0.1:")
    heads = "".join(other.read_text(encoding="utf-8") for other in JOBS.glob("*.yaml"))
    assert f"jobs/{path.name}" in heads


async def test_a_document_is_cut_mapped_and_reduced(promptjobs: Command, jobs: Path) -> None:
    await run_head(promptjobs, "map.yaml", "--set", "engine=extractive")
    mapped, reduced = results(jobs / "output" / "map.jsonl"), results(jobs / "output" / "reduce.jsonl")
    documents = {path.name for path in (JOBS / "documents").glob("*.txt")}
    assert len(mapped) > 2 * len(documents)
    assert {line["id"].removeprefix("documents/") for line in reduced} == documents
    assert {line["status"] for line in mapped + reduced} == {"succeeded"}
    for line in reduced:
        chunks = " ".join(part["text"] for part in mapped if part["metadata"]["path"] == line["id"])
        sentences = re.split(r"(?<=[.?!]) ", line["text"])
        assert all(sentence in chunks for sentence in sentences)


async def test_every_picture_goes_to_the_server_as_it_is(promptjobs: Command, jobs: Path) -> None:
    pictures = sorted((jobs / "jobs" / "pictures").glob("*.png"))

    async with serving(ChatServer()) as server:
        here = ["--base-url", f"{server.url}/v1"]
        await run_head(promptjobs, "vision.yaml", *here)
        contents = [body["messages"][-1]["content"] for body in server.seen]
        assert {tuple(part["type"] for part in content) for content in contents} == {("text", "image_url")}
        assert {content[0]["text"] for content in contents} == {
            load_job(JOBS / "vision.yaml").prompts[0].messages[0].content
        }
        urls = [content[1]["image_url"]["url"] for content in contents]
        assert {url.partition(",")[0] for url in urls} == {"data:image/png;base64"}
        sent = sorted(base64.b64decode(url.partition(",")[2], validate=True) for url in urls)
        assert sent == sorted(path.read_bytes() for path in pictures)

        pictures[0].write_bytes(pictures[1].read_bytes())
        await run_head(promptjobs, "vision.yaml", *here)
        assert len(server.seen) == len(pictures) + 1, "only a picture that was changed is sent again"
    lines = results(jobs / "output" / "vision.jsonl")
    assert {line["id"] for line in lines} == {path.stem for path in pictures}


async def test_a_batch_file_is_answered_as_openai_does(promptjobs: Command, jobs: Path) -> None:
    await run_head(promptjobs, "batch.yaml", "--set", "engine=extractive")
    asked = [line["custom_id"] for line in results(jobs / "jobs" / "batch.jsonl")]
    answers = results(jobs / "answers.jsonl")
    assert [line["custom_id"] for line in answers] == asked
    for line in answers:
        answer = ChatCompletion.model_validate(line["response"]["body"], strict=True)
        assert answer.choices[0].message.content


@with_llama
@pytest.mark.slow
async def test_every_row_of_a_table_gets_one_of_the_labels(promptjobs: Command, jobs: Path) -> None:
    await run_head(promptjobs, "classify.yaml")
    with (JOBS / "messages.csv").open(encoding="utf-8", newline="") as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    table = (jobs / "labels.csv").read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert [row["id"] for row in rows] == ids
    assert {row["parsed.label"] for row in rows} <= {"delivery", "payment", "product"}


@with_llama
@pytest.mark.slow
async def test_a_data_set_has_every_combination_in_one_form(promptjobs: Command, jobs: Path) -> None:
    await run_head(promptjobs, "tickets.yaml")
    lines = results(jobs / "output" / "tickets.jsonl")
    assert [line["id"] for line in lines] == [
        "a late parcel/polite",
        "a late parcel/angry",
        "a broken cup/polite",
        "a broken cup/angry",
    ]
    response_format = load_job(JOBS / "tickets.yaml").models[0].params["response_format"]
    for line in lines:
        jsonschema.validate(line["parsed"], response_format["json_schema"]["schema"])
    train, test = (results(jobs / f"tickets.{part}.jsonl") for part in ("train", "test"))
    assert len(train) + len(test) == 4
    assert {tuple(message["role"] for message in line["messages"]) for line in train + test} == {
        ("user", "assistant")
    }
