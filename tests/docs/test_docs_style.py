"""The words that the project has retired are gone from what people read: the pages and the code."""

from __future__ import annotations

import ast
import io
import re
import tokenize
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


MODULES = sorted((ROOT / "batch").rglob("*.py"))

ALLOWED_TEXTS = {
    ("batch/__init__.py", "mistake"): "the earlier public name of `Diagnostic`",
    ("batch/cli/validate.py", "mistakes"): "a field of the JSON output",
    ("batch/cli/status.py", "torn"): "a field of the JSON output",
    ("batch/app/advice.py", "go through"): "requests go through a proxy: the literal meaning",
    ("batch/app/run/endpoints.py", "go through"): "requests go through a proxy: the literal meaning",
}
"""Retired phrases that a module's texts may hold, and why."""

RETIRED_NAME_PARTS = {
    "complaint": "problem",
    "complaints": "problems",
    "lane": "target_queue",
    "lanes": "target_queues",
    "mend": "repair",
    "mended": "repaired",
    "mistake": "diagnostic",
    "mistakes": "diagnostics",
    "nobody": "name the actor",
    "remark": "notice",
    "remarks": "notices",
    "rubble": "damaged_lines",
    "somebody": "name the actor",
    "tell": "report",
    "told": "reported",
    "torn": "partial",
    "whoever": "name the actor",
    "wished": "due",
}
"""Parts of identifiers that no module uses, and what to write in their place."""

ALLOWED_NAMES = {
    "Mistake": "the earlier public name of `Diagnostic`",
    "format_complaint": "`checking` calls it by this name",
    "mistakes": "the earlier public name of `JobFileError.diagnostics`",
    "tell": "a method of files",
}
"""Identifiers that may hold a retired part, and why."""

CODE_SPAN = re.compile(r"``[^`]+``|`[^`\n]+`")


def texts_of(source: str) -> list[str]:
    """The docstrings, strings and blocks of comments of a module; expressions in f-strings become ``{}``."""
    texts = []
    tree = ast.parse(source)
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            texts.append("".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            texts.append(node.value)
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            text = token.string.lstrip("#")
            if token.start[0] == last + 1:
                texts[-1] += text
            else:
                texts.append(text)
            last = token.start[0]
    return texts


def names_of(source: str) -> set[str]:
    """The identifiers of a module."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.string for token in tokens if token.type == tokenize.NAME}


def retired_names(names: set[str]) -> list[str]:
    """The identifiers with a retired part, in alphabetical order."""
    return sorted(
        name
        for name in names - ALLOWED_NAMES.keys()
        if RETIRED_NAME_PARTS.keys() & {part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}
    )


def module_id(path: Path) -> str:
    """The path of a module from the root of the project."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_no_module_uses_a_retired_phrase_or_name(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    allowed = {phrase for module, phrase in ALLOWED_TEXTS if module == module_id(path)}
    found = {phrase for text in texts_of(source) for phrase in retired(CODE_SPAN.sub("", text))}
    assert sorted(found - allowed) == []
    assert sorted(allowed - found) == [], "an exception that is not needed"
    assert retired_names(names_of(source)) == []


def test_the_texts_of_a_module_are_its_docstrings_strings_and_comments() -> None:
    source = (
        '"""A docstring."""\n'
        "x = 'one ' 'string'  # a comment\n"
        "# on two\n# lines\n"
        'y = f"{x} is {told:>{mend}}"\n'
        "told = {'a': \"told\"}\n"
    )
    assert sorted(texts_of(source)) == [
        " a comment on two lines",
        ">{}",
        "A docstring.",
        "a",
        "one string",
        "told",
        "{} is {}",
    ]


NAMES = [
    ({"mistake", "Mistake", "MistakeList", "_is_told"}, ["MistakeList", "_is_told", "mistake"]),
    ({"told_twice", "untold", "stolen", "complain", "tell", "TOLD"}, ["TOLD", "told_twice"]),
]


@pytest.mark.parametrize(("names", "found"), NAMES)
def test_names_are_found_by_their_parts(names: set[str], found: list[str]) -> None:
    assert retired_names(names) == found
