"""Check the patterns of ``inputs.files`` without access to the file system."""

from __future__ import annotations

import os
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING

from batch.jobfile.paths import real

if TYPE_CHECKING:
    from batch.diagnostics import Problem
    from batch.jobfile.paths import Bounds


def fixed_prefix(base: Path, pattern: str) -> tuple[Path, str]:
    """Split a pattern into the folder before the first wildcard, and the rest."""
    path = base / pattern
    if os.path.lexists(path) and not os.path.isdir(path):
        return path.parent, path.name  # a file name may look like a pattern, such as `notes[1].txt`
    parts = Path(pattern).parts
    fixed = next((n for n, part in enumerate(parts) if has_magic(part)), max(len(parts) - 1, 0))
    rest = (*parts[fixed:], "*") if parts[-1:] == ("**",) else parts[fixed:]
    return base.joinpath(*parts[:fixed]), "/".join(rest)


def is_one_file(base: Path, written: str) -> bool:
    """Return whether a path names one file, which may not exist yet, and not a pattern or a folder."""
    if written.startswith("!"):
        return False
    try:
        path = base / written
        return not os.path.isdir(path) and (os.path.lexists(path) or not has_magic(written))
    except ValueError:  # a NUL
        return True


def pattern_problem(written: str, bounds: Bounds) -> Problem | None:
    """Return what is invalid in a pattern. An excluding one (``!.git/**``) may be hidden."""
    pattern = written.removeprefix("!")
    if "\0" in pattern:
        return "not a path", ""
    prefix, rest = fixed_prefix(bounds.base, pattern)
    parts = rest.split("/")
    if any("**" in part and part != "**" for part in parts):
        return "`**` must be a path component of its own", "write `**/*.txt`"
    if ".." in parts:
        return "`..` after a wildcard", "write it before"
    if not rest:
        return "not a pattern of files", "write `folder/*.txt`"
    if what := bounds.problem(real(prefix) / _hidden_part(rest), hidden=written.startswith("!")):
        return what, "`--allow-path` allows another folder"
    return None


def _hidden_part(rest: str) -> str:
    """Return the first part of a pattern that only hidden names match; empty if there is none."""
    return next((part for part in rest.split("/") if part.startswith(".")), "")
