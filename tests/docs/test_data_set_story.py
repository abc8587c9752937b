"""The data set of ``docs/data_sets.md`` from start to end: made, exported and loaded by the page alone."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyarrow import parquet as pq

from tests.support.datasets_python import needs_datasets, run_with_datasets

if TYPE_CHECKING:
    from tests.support.chat_server import ChatServer
    from tests.support.cli_support import Cli

PAGE = (Path(__file__).parents[2] / "docs" / "data_sets.md").read_text(encoding="utf-8")
STORY = PAGE.partition("\n## A data set from start to end\n")[2].partition("\n## ")[0]

TOPICS, STYLES = ["a late parcel", "a broken cup"], ["polite", "angry"]
IDS = [f"{topic}/{style}/{sample}" for topic in TOPICS for style in STYLES for sample in (1, 2, 3)]
FOR_TEST = ["a late parcel/polite/1", "a late parcel/angry/3", "a broken cup/angry/1"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", STORY, re.DOTALL | re.MULTILINE)


def answer(prompt: str) -> str:
    urgency = 5 if "angry" in prompt else 2
    return json.dumps({"message": f"Answer to: {prompt.splitlines()[0]}", "urgency": urgency})


def asked(topic: str, style: str) -> str:
    return f"Write a {style} message about {topic}, and say from 1 to 5 how urgent it is. Answer in JSON.\n"


@pytest.fixture
def made(cli: Cli, server: ChatServer) -> Path:
    """Write the job file of the page and run its commands, with the address of a server that is here."""
    (job,) = blocks("yaml")
    (cli.folder / "shop.yaml").write_text(job, encoding="utf-8")
    server.answer = answer
    for command in "".join(blocks("sh")).splitlines():
        arguments = command.removeprefix("promptjobs ").split()
        ended = cli(*arguments, "--base-url", f"{server.url}/v1")
        assert ended.code == 0, ended.stderr
    return cli.folder


def conversations(path: Path) -> list[Any]:
    return [json.loads(line)["messages"] for line in path.read_bytes().splitlines()]


def expected_conversation(topic: str, style: str) -> list[dict[str, str]]:
    prompt = asked(topic, style)
    return [
        {"role": "system", "content": "You write as the customers of a shop do."},
        {"role": "user", "content": prompt},
        {"role": "assistant", "content": answer(prompt)},
    ]


def test_the_commands_of_the_page_make_the_data_set(made: Path, server: ChatServer) -> None:
    every_prompt = [asked(topic, style) for topic in TOPICS for style in STYLES for _ in range(3)]
    assert Counter(server.prompts) == Counter(every_prompt)

    train, test = (conversations(made / f"shop.{part}.jsonl") for part in ("train", "test"))
    assert (len(train), len(test)) == (9, 3)
    assert test == [expected_conversation(*name.split("/")[:2]) for name in FOR_TEST]

    text = (made / "shop.csv").read_text(encoding="utf-8")
    (header,) = blocks("text")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert ",".join(rows[0]) == header.strip()
    assert [row["id"] for row in rows] == IDS
    assert rows[3] | {"prompt": "", "text": ""} == {
        "id": "a late parcel/angry/1",
        "status": "succeeded",
        "matrix.topic": "a late parcel",
        "matrix.style": "angry",
        "metadata.sample": "1",
        "prompt": "",
        "text": "",
        "parsed.message": "Answer to: " + asked("a late parcel", "angry").strip(),
        "parsed.urgency": "5",
        "verdict": "complete",
        "model": "qwen2.5-7b-instruct",
        "prompt_tokens": "3",
        "completion_tokens": rows[3]["completion_tokens"],
        "cost": rows[3]["cost"],
        "currency": "USD",
    }
    for row in rows:
        assert re.fullmatch(r"0\.0000[0-9]{1,6}", row["cost"])

    table = pq.read_table(made / "shop.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "id": "string",
        "matrix.topic": "string",
        "matrix.style": "string",
        "parsed.message": "string",
        "parsed.urgency": "int64",
    }
    assert table["id"].to_pylist() == IDS
    assert table["parsed.urgency"].to_pylist() == [2, 2, 2, 5, 5, 5] * 2


class TestLoading:
    """What the page's Python prints, by the real libraries."""

    pytestmark = needs_datasets

    def test_the_python_of_the_page_loads_it(self, made: Path) -> None:
        (script,) = blocks("python")
        printed = run_with_datasets(script, made).splitlines()
        assert printed[0] == str(expected_conversation("a late parcel", "polite"))
        assert printed[1] == "Value('int64')"
        assert [line.split() for line in printed[2:5]] == [
            ["matrix.style"],
            ["angry", "5.0"],
            ["polite", "2.0"],
        ]
