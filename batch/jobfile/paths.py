"""Where a job file's paths may lead."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class OutsideError(ValueError):
    """A path that leads out of every tree the job may use, or that is no path at all."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A job file's folder, which its paths are relative to, and the trees that they stay in.

    All are absolute and free of symlinks. The first tree is the job's root.
    """

    base: Path
    trees: tuple[Path, ...]

    @property
    def root(self) -> Path:
        """The job's own tree."""
        return self.trees[0]

    def resolve(self, written: str | Path, *, trusted: bool = False, hidden: bool = False) -> Path:
        """The absolute path, symlinks resolved.

        A ``trusted`` path may lead anywhere. ``hidden`` allows a path that is hidden below the root.
        Raises ``OutsideError`` where the path leads out of the trees, or is hidden.
        """
        try:
            path = real(self.base / written)
        except ValueError:  # a NUL
            raise OutsideError("not a path") from None
        complaint = None if trusted else path_complaint(path, self.trees, hidden=hidden)
        if complaint is not None:
            raise OutsideError(complaint)
        return path

    def complaint(self, resolved: Path, *, hidden: bool = False) -> str | None:
        """Say why a resolved path is not allowed; ``None`` where it is."""
        return path_complaint(resolved, self.trees, hidden=hidden)


def path_complaint(resolved: Path, trees: Sequence[Path], *, hidden: bool = False) -> str | None:
    """Say why a resolved path is not allowed; ``None`` where it is.

    The first of ``trees`` is the job's root. What is hidden below it (``.env``, ``.git/config``) is not for
    a job file to name, unless ``hidden`` allows it. In the other trees, which the user allows, any path is.
    """
    root, *others = trees
    if any(resolved.is_relative_to(tree) for tree in others):
        return None
    if not resolved.is_relative_to(root):
        return f"leads out of {root}"
    if not hidden and any(part.startswith(".") for part in resolved.relative_to(root).parts):
        return f"is hidden below {root}"
    return None


def real(path: Path) -> Path:
    """The absolute path, symlinks resolved. Unlike ``Path.resolve`` it never raises for circular links."""
    return Path(os.path.realpath(path))


def side_files(output: Path) -> list[Path]:
    """The symlinks beside an output that its log, its lock, its summary or another side file would be."""
    try:
        entries = list(os.scandir(output.parent))
    except OSError:  # the folder is not there yet
        return []
    return [
        Path(entry) for entry in entries if entry.name.startswith(f"{output.name}.") and entry.is_symlink()
    ]


def bounds_of(folder: Path, allow: Sequence[Path] = (), home: Path | None = None) -> Bounds:
    """Return the bounds of a job file in ``folder``.

    The root is the folder, or its parent where the folder is called ``jobs``; but never ``/`` or the
    user's ``home``, which hold more than any job needs.
    """
    base = real(folder)
    parent = base.parent
    is_too_wide = parent == Path(base.anchor) or (home is not None and real(home) == parent)
    root = parent if base.name == "jobs" and not is_too_wide else base
    return Bounds(base, (root, *(real(tree) for tree in allow)))
