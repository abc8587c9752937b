"""What the pages point to is there: files that they link, scripts and tests that they tell to run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]

LINK = re.compile(r"\]\((?!http)([^)#]+)")
FILE = re.compile(r"\b(?:batch|tests|docs|jobs)/[\w./-]+\.[a-z]+\b")
MODULE = re.compile(r"\bpython3? -m (tests[\w.]*)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [link for link in LINK.findall(text) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_script_that_is_named_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    scripts = {ROOT / name.replace(".", "/") for name in MODULE.findall(text)}
    missing = {script for script in scripts if not (script.is_dir() or script.with_suffix(".py").is_file())}
    assert missing | {ROOT / name for name in FILE.findall(text) if not (ROOT / name).exists()} == set()
