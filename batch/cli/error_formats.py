"""Mistakes in a job file as people, programs and GitHub read them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batch.errors import JobFileError
from batch.escaping import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from batch.errors import Mistake

_LONGEST = 1000
_WIDEST = 100
"""Characters of a source line that are shown."""

# A line may hold the very secret that should not have been written: such a line is not repeated.
_MAY_HOLD_A_SECRET = re.compile(r"auth|api.?key|cookie|secret|passw|credential|://|\bsk-", re.IGNORECASE)
_SECRET_PLACES = re.compile(r"(?:.*\.)?(?:headers|proxy|base_urls?|api_key\w*)\b", re.IGNORECASE)


def concise(mistakes: Iterable[Mistake]) -> list[str]:
    """``path:line:column: where: what; hint``, a line each."""
    return [escape(str(mistake), limit=_LONGEST) for mistake in mistakes]


def full(mistakes: Iterable[Mistake], sources: Mapping[str, Sequence[str]]) -> list[str]:
    """The same, each followed by its line of the file and a caret below the place.

    ``sources`` holds the lines of the files that may be quoted, by the path that the mistakes give.
    """
    return [line for mistake in mistakes for line in _with_source(mistake, sources)]


def _with_source(mistake: Mistake, sources: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield from concise([mistake])
    lines = sources.get(mistake.path, ())
    if not 1 <= mistake.line <= len(lines):
        return
    line = lines[mistake.line - 1]
    if _MAY_HOLD_A_SECRET.search(line) or _SECRET_PLACES.match(mistake.where):
        return
    start = max(0, mistake.column - 1 - _WIDEST // 2) if len(line) > _WIDEST else 0
    before, after = line[start : mistake.column - 1], line[mistake.column - 1 : start + _WIDEST]
    number, shown = f"{mistake.line:>5} | ", escape(before, limit=_LONGEST)
    yield number + shown + escape(after, limit=_LONGEST)
    yield " " * len(number + shown) + "^"


def as_github(mistakes: Iterable[Mistake]) -> list[str]:
    """GitHub's workflow commands, which mark the lines of a pull request."""
    return [_annotation(mistake) for mistake in mistakes]


def _annotation(mistake: Mistake) -> str:
    properties = {"file": mistake.path}
    if mistake.line:
        properties |= {"line": str(mistake.line), "col": str(mistake.column)}
    said = ",".join(f"{name}={_escaped_property(value)}" for name, value in properties.items())
    where = f"{mistake.where}: " if mistake.where else ""
    hint = f"; {mistake.hint}" if mistake.hint else ""
    return f"::error {said}::{_escaped_data(where + mistake.what + hint)}"


def _escaped_data(text: str) -> str:
    return escape(text.replace("%", "%25"), limit=_LONGEST)


def _escaped_property(text: str) -> str:
    return _escaped_data(text).replace(":", "%3A").replace(",", "%2C")


def sources(paths: Iterable[Path | None]) -> dict[str, list[str]]:
    """The lines of the YAML files among ``paths``, as far as they can be read. Rows are not quoted."""
    return {str(path): lines for path in paths if path is not None and (lines := _lines(path))}


def _lines(path: Path) -> list[str]:
    from batch.files import read_text

    if path.suffix not in (".yaml", ".yml"):
        return []
    try:
        # YAML's own line ends: its marks count these and no others.
        return re.split(r"\r\n|[\r\n\x85\u2028\u2029]", read_text(path))
    except JobFileError:
        return []
