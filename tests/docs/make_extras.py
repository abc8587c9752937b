"""Writes ``docs/extras.md`` from ``pyproject.toml``: ``python -m tests.docs.make_extras``."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "extras.md"

BRINGS = {
    "documents": "reading HTML, PDF, Word, PowerPoint, Excel, OpenDocument, RTF and EPUB files",
    "local": "llama.cpp, which runs a language model on this machine",
    "parquet": "reading and writing Parquet files",
    "prices": "a table of model prices",
    "ray": "workers on a Ray cluster",
    "schema": "JSON Schema validation of answers",
    "test": "what the tests and checks of the project need",
    "docs": "the tools that build this site",
}
WHEN = {
    "documents": "`inputs.files` matches documents that are not plain text",
    "local": "a job has `base_url: local` with the engine `llama`, or you run `promptjobs serve`",
    "parquet": "a job reads `inputs.parquet`, or you run `export --format parquet`",
    "prices": "you want the cost of a run, or a limit on it, without writing `price` into the job",
    "ray": "you run with `--executor ray`",
    "schema": "a job has a `response_format` with a JSON Schema",
    "test": "you work on promptjobs",
    "docs": "you work on this site",
}

_HEAD = """\
# Extras

The base install reads text, CSV and JSON Lines, and sends to any supported endpoint. Extras add the rest.
If one is missing, the error message names it. `pip install 'promptjobs[documents,schema]'` installs two.

This page is written from `pyproject.toml` by `python -m tests.docs.make_extras`.

| extra | brings | you need it if | packages |
|---|---|---|---|
"""


def page() -> str:
    """The page as it should be."""
    rows = [
        f"| `{name}` | {BRINGS[name]} | {WHEN[name]} | {_packages(requirements)} |\n"
        for name, requirements in extras().items()
    ]
    return _HEAD + "".join(rows)


def extras() -> dict[str, list[str]]:
    """The requirements of each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[str, list[str]] = project["optional-dependencies"]
    return found


def _packages(requirements: list[str]) -> str:
    names = [re.split(r"[<>=~!;\[ ]", each)[0] for each in requirements]
    return ", ".join(names)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
