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

    def resolve(self, written: str | Path, *, trusted: bool = False) -> Path:
        """The absolute path, symlinks resolved; one that is ``trusted`` may lead anywhere.

        Raises ``OutsideError`` where it leads out of the trees.
        """
        try:
            path = real(self.base / written)
        except ValueError:  # a NUL
            raise OutsideError("not a path") from None
        if not trusted and not self.hold(path):
            raise OutsideError(f"leads out of {self.root}")
        return path

    def hold(self, resolved: Path) -> bool:
        """Whether a resolved path lies in one of the trees."""
        return any(resolved.is_relative_to(tree) for tree in self.trees)


def real(path: Path) -> Path:
    """The absolute path, symlinks resolved. Unlike ``Path.resolve`` it never raises for circular links."""
    return Path(os.path.realpath(path))


def bounds_of(folder: Path, allow: Sequence[Path] = ()) -> Bounds:
    """The bounds of a job file in ``folder``: the folder, or its parent where it is called ``jobs``."""
    base = real(folder)
    root = base.parent if base.name == "jobs" else base
    return Bounds(base, (root, *(real(tree) for tree in allow)))
