"""The words that the project has retired are gone from what people read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]

RETIRED = {
    "mistake": "error",
    "mistakes": "errors",
    "mend": "fix, repair",
    "mends": "fixes, repairs",
    "mended": "fixed, repaired",
    "somebody": "name the actor",
    "nobody": "name the actor",
    "whoever": "name the actor",
    "given up": "skipped, not retried",
    "gives up": "stops retrying",
    "left alone": "skipped, unattended",
    "leaves alone": "does not change",
    "is spared": "is parked",
    "told": "reported",
    "tells": "reports, shows",
    "remark": "notice",
    "goes through": "reads, scans",
    "go through": "read, scan",
    "gone through": "read, scanned",
    "goes on where": "resumes",
    "go on where": "resume",
    "went on where": "resumed",
    "same command goes on": "same command resumes",
    "stands beside": "cannot be combined with",
    "stand beside": "cannot be combined with",
    "has no place": "is not allowed here",
    "belongs into": "is not allowed here",
    "won't have us": "rejected the request",
    "will not have us": "rejected the request",
    "under way": "in flight",
    "lane": "target queue",
    "lanes": "target queues",
    "rubble": "damaged line",
    "torn": "partial",
    "fares": "status",
    "wants to be left": "asks to wait",
    "what it came to": "its result",
    "what came out": "results",
    "a guess is said": "a notice reports the guess",
    "made up for": "balanced",
    "have the say": "decide",
    "in the night": "at night",
    "for certain": "certainly",
    "for good": "permanently",
    "feeds the clock": "resets the timeout",
    "is no trouble": "is not an error",
    "won't": "does not",
}
"""Phrases that no page uses, and what to write in their place; they are matched as whole words."""

CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
"""Code and output: its words are the program's."""


def retired(text: str) -> list[str]:
    """The retired phrases in a text, in its order."""
    phrases = "|".join(re.escape(phrase).replace(r"\ ", r"\s+") for phrase in RETIRED)
    found = re.finditer(rf"(?<![\w-])(?:{phrases})(?![\w-])", text, re.IGNORECASE)
    return [" ".join(match[0].lower().split()) for match in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_uses_a_retired_phrase(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    prose = text if page.name == "cli.md" else CODE.sub("", text)
    assert retired(prose) == []


FOUND = [
    ("A Mistake was mended.", ["mistake", "mended"]),
    ("the same command\ngoes on", ["same command goes on"]),
    ("untold, a lane-like thing, commend", []),
    ("It is told to\n  go   through it.", ["told", "go through"]),
]


@pytest.mark.parametrize(("text", "phrases"), FOUND)
def test_phrases_are_found_as_whole_words_over_line_ends(text: str, phrases: list[str]) -> None:
    assert retired(text) == phrases


def test_code_is_not_prose() -> None:
    assert retired(CODE.sub("", "Say `mistakes`.\n\n```text\ntold\n```\nFine.")) == []
