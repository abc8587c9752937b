"""A pattern that matches nothing: what may be meant instead."""

from __future__ import annotations

import os
from glob import has_magic
from typing import TYPE_CHECKING

from batch.diagnostics import shown
from batch.jobfile.paths import near_file, shown_path
from batch.jobfile.patterns import fixed_prefix
from batch.terminal_escaping import escape

if TYPE_CHECKING:
    from pathlib import Path

    from batch.diagnostics import Problem
_RELATIVE = "patterns are relative to the job file"


def no_match(base: Path, pattern: str, unit: str) -> Problem:
    """Return the error of a pattern that matches no ``unit``, and what may be meant."""
    prefix, rest = fixed_prefix(base, pattern.rstrip("/"))
    if os.path.isdir(prefix / rest):
        return f"is a folder, not a {unit}", f"write `{_shown_pattern(pattern)}/*`"
    what = f"no {unit} matches"
    if not os.path.isdir(prefix):
        return what, _RELATIVE
    if not has_magic(rest):
        return what, near_file(prefix / rest) or _RELATIVE
    names = sorted(entry.name for entry in os.scandir(prefix) if entry.is_file() and entry.name[:1] != ".")
    if names and prefix != base:
        return what, f"{_relative(prefix, base)} has other files, such as {shown(names[0])}"
    return what, _RELATIVE


def _shown_pattern(pattern: str) -> str:
    """Return a pattern for messages."""
    return escape(pattern.rstrip("/"), limit=100)


def _relative(folder: Path, base: Path) -> str:
    return shown_path(folder.relative_to(base) if folder.is_relative_to(base) else folder)
