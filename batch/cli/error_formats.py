"""Formats for the errors in a job file: text, text with source lines, GitHub annotations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batch.diagnostics import in_order
from batch.errors import JobFileError
from batch.line_breaks import lines_of
from batch.secret_words import may_hold_secret
from batch.terminal_escaping import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from batch.errors import Diagnostic

_MAX_LENGTH = 1000
_MAX_WIDTH = 100
"""Characters of a source line that are shown."""

# A line may contain the secret that must not be there: do not print it.
_SECRET_PLACES = re.compile(r"(?:.*\.)?(?:headers|proxy|base_urls?|api_key\w*)\b", re.IGNORECASE)


def together(errors: Sequence[Diagnostic], warnings: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Return errors and warnings in the order of their places; the number of omitted errors stays last."""
    return in_order([*errors, *warnings]) if warnings else list(errors)


def concise(diagnostics: Iterable[Diagnostic]) -> list[str]:
    """Return ``path:line:column: where: what; hint``, one line per error."""
    return [escape(str(diagnostic), limit=_MAX_LENGTH) for diagnostic in diagnostics]


def full(diagnostics: Iterable[Diagnostic], sources: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the same, each followed by its source line and a caret below the place.

    ``sources`` maps the paths in the diagnostics to the lines of files that may be quoted.
    """
    return [line for diagnostic in diagnostics for line in _with_source(diagnostic, sources)]


def _with_source(diagnostic: Diagnostic, sources: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield from concise([diagnostic])
    lines = sources.get(diagnostic.path, ())
    if not 1 <= diagnostic.line <= len(lines):
        return
    line = lines[diagnostic.line - 1]
    if may_hold_secret(line) or "://" in line or _SECRET_PLACES.match(diagnostic.where):
        return
    start = max(0, diagnostic.column - 1 - _MAX_WIDTH // 2) if len(line) > _MAX_WIDTH else 0
    before, after = line[start : diagnostic.column - 1], line[diagnostic.column - 1 : start + _MAX_WIDTH]
    number, shown = f"{diagnostic.line:>5} | ", escape(before, limit=_MAX_LENGTH)
    yield number + shown + escape(after, limit=_MAX_LENGTH)
    yield " " * len(number + shown) + "^"


def as_github(diagnostics: Iterable[Diagnostic]) -> list[str]:
    """Return GitHub workflow commands, which annotate the lines of a pull request."""
    return [_annotation(diagnostic) for diagnostic in diagnostics]


def _annotation(diagnostic: Diagnostic) -> str:
    properties = {"file": diagnostic.path}
    if diagnostic.line:
        properties |= {"line": str(diagnostic.line), "col": str(diagnostic.column)}
    attributes = ",".join(f"{name}={_escaped_property(value)}" for name, value in properties.items())
    return f"::{diagnostic.severity} {attributes}::{_escaped_data(diagnostic.text)}"


def _escaped_data(text: str) -> str:
    return escape(text.replace("%", "%25"), limit=_MAX_LENGTH)


def _escaped_property(text: str) -> str:
    return _escaped_data(text).replace(":", "%3A").replace(",", "%2C")


def sources(paths: Iterable[Path | None]) -> dict[str, list[str]]:
    """Return the lines of the readable YAML files among ``paths``. Rows are not quoted."""
    return {str(path): lines for path in paths if path is not None and (lines := _lines(path))}


def _lines(path: Path) -> list[str]:
    from batch.files import read_text

    if path.suffix not in (".yaml", ".yml"):
        return []
    try:
        return lines_of(read_text(path))
    except JobFileError:
        return []
