"""The patterns of ``inputs.files``: what they say before any file is looked at."""

from __future__ import annotations

import os
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING

from batch.jobfile.paths import real

if TYPE_CHECKING:
    from batch.diagnostics import Complaint
    from batch.jobfile.paths import Bounds


def fixed_prefix(base: Path, pattern: str) -> tuple[Path, str]:
    """The folder before the first wildcard, and the rest of the pattern."""
    path = base / pattern
    if os.path.lexists(path) and not os.path.isdir(path):
        return path.parent, path.name  # it may only look like a pattern, as `notes[1].txt` does
    parts = Path(pattern).parts
    fixed = next((n for n, part in enumerate(parts) if has_magic(part)), max(len(parts) - 1, 0))
    rest = (*parts[fixed:], "*") if parts[-1:] == ("**",) else parts[fixed:]
    return base.joinpath(*parts[:fixed]), "/".join(rest)


def is_one_file(base: Path, written: str) -> bool:
    """Whether a path names one file, which may not be there yet, and is neither a pattern nor a folder."""
    if written.startswith("!"):
        return False
    try:
        path = base / written
        return not os.path.isdir(path) and (os.path.lexists(path) or not has_magic(written))
    except ValueError:  # a NUL
        return True


def pattern_complaint(written: str, bounds: Bounds) -> Complaint | None:
    """What is wrong with a pattern. One that excludes (``!.git/**``) reads nothing, so it may be hidden."""
    pattern = written.removeprefix("!")
    if "\0" in pattern:
        return "not a path", ""
    prefix, rest = fixed_prefix(bounds.base, pattern)
    parts = rest.split("/")
    if any("**" in part and part != "**" for part in parts):
        return "`**` stands alone between slashes", "write `**/*.txt`"
    if ".." in parts:
        return "`..` after a wildcard", "write it before"
    if not rest:
        return "not a pattern of files", "write `folder/*.txt`"
    if what := bounds.complaint(real(prefix) / _hidden_part(rest), hidden=written.startswith("!")):
        return what, "`--allow-path` allows another folder"
    return None


def _hidden_part(rest: str) -> str:
    """The first part of a pattern that only hidden names match; empty where there is none."""
    return next((part for part in rest.split("/") if part.startswith(".")), "")
