"""The exact words of messages, in one file a command: ``tests/golden/messages/<command>.json``.

Tests assert exit codes, codes and places themselves, and leave the words to these files, so that wording can
change in one place. Each entry maps a situation to the lines that the command prints in it. To write the
entries anew, run the tests in one process with ``UPDATE_GOLDEN_MESSAGES=1`` and review the difference.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden" / "messages"
UPDATE = "UPDATE_GOLDEN_MESSAGES"

_CHANGING = (
    (re.compile(r"(127\.0\.0\.1|localhost):[0-9]+"), r"\1:PORT"),
    (re.compile(r"\b[0-9]+\.[0-9]+ s\b"), "N s"),
    (re.compile(r"\b20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z"), "TIME"),
)
"""What differs from run to run, and what stands for it."""


def entries_of(command: str) -> dict[str, list[str]]:
    """The entries of a command by their situation; none where it has no file yet."""
    path = FOLDER / f"{command}.json"
    entries: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return entries


def check_words(command: str, situation: str, lines: str | list[str], folder: Path | None = None) -> None:
    """Assert that a command prints exactly the lines of the entry; ``folder`` is that of the test."""
    printed = [_stable(line, folder) for line in (lines.splitlines() if isinstance(lines, str) else lines)]
    if os.environ.get(UPDATE):
        _write(command, entries_of(command) | {situation: printed})
    assert printed == entries_of(command).get(situation), f"{command}: {situation}"


def _stable(line: str, folder: Path | None) -> str:
    if folder is not None:
        line = line.replace(str(folder), "FOLDER")
    for pattern, text in _CHANGING:
        line = pattern.sub(text, line)
    return line


def _write(command: str, entries: dict[str, list[str]]) -> None:
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(entries, indent=1, ensure_ascii=False, sort_keys=True)
    (FOLDER / f"{command}.json").write_text(text + "\n", encoding="utf-8")
