"""Job files with an error that people make, and what ``validate`` prints: ``tests/cases/job_errors``.

Each case begins with ``### its name``. The job file follows, then other files after ``--- their name``, then
the lines that are printed, after ``=> ``. In a file, ``@job`` stands for three lines that make any prompt a
job, ``@repeat N TEXT`` for N lines in which ``#`` is their number, and ``<TAB>`` and ``<NBSP>`` for
characters that an editor may not show. ``@latin-1``, ``@bom`` and ``@utf-16`` are the encoding of the file.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from msgspec import Struct

FOLDER = Path(__file__).parents[1] / "cases" / "job_errors"

_JOB = ["provider: openai", "base_url: http://127.0.0.1:1/v1", "model: m"]
_ENCODINGS = {"@latin-1": "latin-1", "@bom": "utf-8-sig", "@utf-16": "utf-16"}
_SIGNS = {"<TAB>": "\t", "<NBSP>": "\u00a0"}


class Case(Struct, frozen=True):
    """One case: the files by name, as bytes, and the lines that ``validate job.yaml`` prints."""

    kind: str
    name: str
    files: dict[str, bytes]
    printed: list[str]

    def write(self, folder: Path) -> None:
        """Write the files."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def all_cases() -> list[Case]:
    """Every case of every file, in order."""
    return [
        _case(path.stem, text)
        for path in sorted(FOLDER.glob("*.txt"))
        for text in re.split(r"^### ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    ]


def _case(kind: str, text: str) -> Case:
    name, *lines = text.rstrip("\n").split("\n")
    files: dict[str, list[str]] = {"job.yaml": []}
    current = files["job.yaml"]
    for line in lines:
        if line.startswith("--- "):
            current = files.setdefault(line[4:], [])
        elif not line.startswith("=> "):
            current.append(line)
    printed = [line[3:] for line in lines if line.startswith("=> ")]
    return Case(kind, name, {path: _encoded(content) for path, content in files.items()}, printed)


def _encoded(lines: list[str]) -> bytes:
    encoding = "utf-8"
    if lines and lines[0] in _ENCODINGS:
        encoding, lines = _ENCODINGS[lines[0]], lines[1:]
    text = "".join(f"{line}\n" for each in lines for line in _expanded(each))
    for written, sign in _SIGNS.items():
        text = text.replace(written, sign)
    return codecs.encode(text, encoding)


def _expanded(line: str) -> list[str]:
    if line == "@job":
        return _JOB
    if line.startswith("@repeat "):
        _, number, text = line.split(" ", 2)
        return [text.replace("#", str(each)) for each in range(1, int(number) + 1)]
    return [line]
