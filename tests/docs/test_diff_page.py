"""The examples of ``docs/diff.md``: its commands run as they stand, and print what the page shows."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from batch.codec import encode_result
from batch.records import Timings, Usage
from batch.results.comparison.changes import CIRCUMSTANCES, Change
from tests.support.results_support import failed, succeeded

if TYPE_CHECKING:
    from batch.records import Result
    from tests.support.cli_support import Cli

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "diff.md").read_text(encoding="utf-8")
COMMANDS, OUTPUT = (
    re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[0].splitlines()
    for language in ("sh", "text")
)


def answer(name: str, text: str, tokens: int, seconds: float, **more: Any) -> Result:
    result = succeeded(f"documents/{name}.txt", text)
    timings = Timings(0.0, 0.2, seconds)
    return replace(result, usage=Usage(400, tokens, None), timings=timings, cost=tokens * 1e-5, **more)


def tram(passengers: int) -> dict[str, Any]:
    return {"parsed": {"opened": 1902, "passengers": passengers}}


EELS = "Eels spawn in the Sargasso Sea, where they have never been seen to do so."
SMALL = [
    answer("bread", "Bread needs flour, water and salt.", 60, 0.8, model="small"),
    answer("eels", EELS, 75, 0.9, model="small"),
    answer("tram", "{}", 40, 0.7, model="small", **tram(1200)),
    answer("glass", "Glass is made of sand.", 50, 0.8, model="small"),
]
LARGE = [
    answer("bread", "Bread needs flour, water, salt and patience.", 90, 1.4, model="large"),
    failed("documents/eels.txt", message="POST https://api.example.com/v1/chat/completions returned 500"),
    answer("tram", "{ }", 40, 1.1, model="large", **tram(1500)),
    answer("glass", "Glass is made of sand.", 50, 1.3, model="large"),
    answer("chess", "A chess program looks ahead.", 55, 1.2, model="large"),
]


@pytest.fixture
def work(cli: Cli) -> Cli:
    """The two outputs of the page, and the job of this project with a superseded answer."""
    shutil.copytree(ROOT / "jobs", cli.folder / "jobs")
    output = cli.folder / "output"
    output.mkdir()
    for name, results in {"small": SMALL, "large": LARGE, "summaries": LARGE}.items():
        (output / f"{name}.jsonl").write_bytes(b"".join(map(encode_result, results)))
    (output / "summaries.jsonl.superseded.jsonl").write_bytes(encode_result(SMALL[0]))
    return cli


def test_the_commands_run(work: Cli) -> None:
    assert len(COMMANDS) == 4
    for command in COMMANDS:
        ended = work(*command.replace("'", "").split()[1:], COLUMNS="80")
        assert (ended.code, ended.stderr) == (1, ""), command
    assert (work.folder / "comparison.html").exists()


def test_the_first_command_prints_what_the_page_shows(work: Cli) -> None:
    assert work(*COMMANDS[0].split()[1:], COLUMNS="80").stdout.splitlines() == OUTPUT


def test_all_keys_for_programs_are_described(work: Cli) -> None:
    found = work(*COMMANDS[0].split()[1:], "--json").summary
    section = PAGE.partition("\n## For programs\n")[2].partition("\n## ")[0]
    sides = {*found["before"], *found["before"]["latency"]}
    keys = {*found, *sides, *found["changes"][0], *found["changes"][0]["before"]} - {"schema_version"}
    for name in {*keys, *CIRCUMSTANCES, *(change.value for change in Change)}:
        assert f"`{name}`" in section, name
