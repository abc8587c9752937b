"""The examples of ``docs/data_sets.md``, run as they stand, on the engine that needs no weights."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batch.app.setup.load_job import load_job
from batch.results.export.columns import Columns, KnownFields
from batch.results.export.registry import names
from batch.results.export.result_columns import result_columns

if TYPE_CHECKING:
    from tests.support.cli_support import Cli

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "data_sets.md").read_text(encoding="utf-8")
GUIDE = PAGE[PAGE.index("\n## In\n") :]
"""The page without the data set from start to end, which `test_data_set_story` makes."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


def test_the_commands_run(cli: Cli) -> None:
    shutil.copytree(ROOT / "jobs", cli.folder / "jobs")
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) == 9
    for command in commands:
        arguments = command.removeprefix("promptjobs ").split()
        flags = [] if "output/" in command else ["--set", "engine=extractive"]
        ended = cli(*arguments, *flags)
        assert ended.code == 0, ended.stderr
    written = {path.name for path in cli.folder.glob("*.*") if path.is_file()}
    assert written == {
        "summaries.train.jsonl",
        "summaries.test.jsonl",
        "summaries.csv",
        "seconds.csv",
        "names.csv",
        "messages.parquet",
        "answers.jsonl",
    }
    assert (cli.folder / "seconds.csv").read_text().startswith("id,text,seconds\n")


@pytest.mark.parametrize("text", blocks("yaml"))
def test_the_job_files_are_some(text: str, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(text, encoding="utf-8")
    assert load_job(tmp_path / "job.yaml").models


def test_every_format_is_documented() -> None:
    section = PAGE.partition("\n## Out\n")[2].partition("\n### ")[0]
    assert re.findall(r"^\| `([a-z][a-z-]+)` \|", section, re.MULTILINE) == names()


def test_every_column_is_documented_and_the_default_ones_in_their_order() -> None:
    section = PAGE.partition("\n### Columns\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`(.*?)`", row)]
    fields = KnownFields()
    for group, name in {
        "matrix": "variable",
        "input": "column",
        "metadata": "key",
        "parsed": "field",
    }.items():
        fields.of[group].see({f"<{name}>": 1})
    assert listed == [column.name for column in Columns(fields, failed=True).chosen()]
    assert {column.name for column in result_columns("USD")} <= set(re.findall(r"`([a-z_]+)`", section))
