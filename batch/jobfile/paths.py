"""The directories that a job file's paths may point into."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batch.diagnostics import closest, shown
from batch.terminal_escaping import escape

if TYPE_CHECKING:
    from collections.abc import Sequence


_LIKENESS = 0.75
"""Of file names, which often share their suffix."""


class OutsideError(ValueError):
    """A path outside of every allowed directory, or an invalid path."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A job file's folder, which its paths are relative to, and the directories that they must stay in.

    All are absolute and free of symlinks. The first directory is the job's root.
    """

    base: Path
    trees: tuple[Path, ...]

    @property
    def root(self) -> Path:
        """The job's own tree."""
        return self.trees[0]

    def resolve(self, written: str | Path, *, trusted: bool = False, hidden: bool = False) -> Path:
        """Return the absolute path, symlinks resolved.

        A ``trusted`` path may point anywhere. ``hidden`` allows a path that is hidden below the root. Raises
        ``OutsideError`` if the path is outside the directories, or hidden.
        """
        try:
            path = real(self.base / written)
        except ValueError:  # a NUL
            raise OutsideError("not a path") from None
        problem = None if trusted else path_problem(path, self.trees, hidden=hidden)
        if problem is not None:
            raise OutsideError(problem)
        return path

    def problem(self, resolved: Path, *, hidden: bool = False) -> str | None:
        """Return why a resolved path is not allowed; ``None`` if it is."""
        return path_problem(resolved, self.trees, hidden=hidden)


def path_problem(resolved: Path, trees: Sequence[Path], *, hidden: bool = False) -> str | None:
    """Return why a resolved path is not allowed; ``None`` if it is.

    The first of ``trees`` is the job's root. A job file cannot name hidden files below it (``.env``,
    ``.git/config``), unless ``hidden`` allows it. In the other directories, which the user allows, any path
    is valid.
    """
    root, *others = trees
    if any(resolved.is_relative_to(tree) for tree in others):
        return None
    if not resolved.is_relative_to(root):
        return f"is outside {root}"
    if not hidden and any(part.startswith(".") for part in resolved.relative_to(root).parts):
        return f"is hidden below {root}"
    return None


def real(path: Path) -> Path:
    """Return the absolute path, symlinks resolved. Unlike ``Path.resolve``, never raise for cycles."""
    return Path(os.path.realpath(path))


def side_files(output: Path) -> list[Path]:
    """Return the symlinks at the paths of an output's log, lock, summary and other side files."""
    try:
        entries = list(os.scandir(output.parent))
    except OSError:  # the folder does not exist yet
        return []
    return [
        Path(entry) for entry in entries if entry.name.startswith(f"{output.name}.") and entry.is_symlink()
    ]


def near_file(path: Path) -> str:
    """Return a hint with a file of a similar name in the same folder, or an empty text."""
    try:
        names = [entry.name for entry in os.scandir(path.parent) if not entry.name.startswith(".")]
    except (OSError, ValueError):
        return "" if path.parent.name == "" else f"there is no folder {shown_path(path.parent)}"
    meant = closest(path.name, names, cutoff=_LIKENESS)
    return f"did you mean `{shown(meant)}`?" if meant else ""


def shown_path(path: Path) -> str:
    """Return a path for messages."""
    return "/".join(map(shown, path.parts)) if not path.is_absolute() else escape(str(path), limit=300)


def bounds_of(folder: Path, allow: Sequence[Path] = (), home: Path | None = None) -> Bounds:
    """Return the bounds of a job file in ``folder``.

    The root is the folder, or its parent if the folder is called ``jobs``; but never ``/`` or the user's
    ``home``, which contain more than any job needs.
    """
    base = real(folder)
    parent = base.parent
    is_too_wide = parent == Path(base.anchor) or (home is not None and real(home) == parent)
    root = parent if base.name == "jobs" and not is_too_wide else base
    return Bounds(base, (root, *(real(tree) for tree in allow)))
