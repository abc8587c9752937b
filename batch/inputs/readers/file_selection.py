"""Which files belong to a job's inputs: not excluded, inside its directories, and not its own output."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from batch.inputs.readers.globs import Walker
from batch.jobfile.paths import path_problem
from batch.jobfile.patterns import fixed_prefix
from batch.jobfile.shard import without_shard

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from batch.jobfile import Inputs


ALLOW = "`--allow-path` allows another folder"


def document_problem(resolved: Path, inputs: Inputs) -> str | None:
    """Return why a resolved path may not be read; ``None`` if it may."""
    if not any(resolved.is_relative_to(tree) for tree in inputs.trees):
        return "is outside the job's root"
    return path_problem(resolved, inputs.trees)


def walker_of(inputs: Inputs, *, hidden: bool) -> Walker:
    """Return a walker that stays in what the job may read."""
    return Walker(
        lambda path: document_problem(path, inputs) is None, follow=inputs.follow_symlinks, hidden=hidden
    )


def sorted_out(patterns: Sequence[str]) -> tuple[dict[int, str], list[str]]:
    """Return the patterns of files to read by their positions, and those of excluded ones without ``!``."""
    included = {index: each for index, each in enumerate(patterns) if not each.startswith("!")}
    return included, [each[1:] for each in patterns if each.startswith("!")]


def matched(patterns: Iterable[str], inputs: Inputs) -> set[str]:
    """Return the paths of files and folders that any of the patterns matches, hidden ones too."""
    found: set[str] = set()
    for pattern in patterns:
        prefix, rest = fixed_prefix(inputs.base, pattern.rstrip("/"))
        path = prefix / rest
        paths = {path} if os.path.lexists(path) else walker_of(inputs, hidden=True).find(prefix, rest)
        found.update(os.path.normpath(each) for each in paths)
    return found


def is_excluded(path: Path, excluded: AbstractSet[str]) -> bool:
    """Return whether a path, or a folder that contains it, is excluded."""
    normal = os.path.normpath(path)
    while normal not in excluded:
        parent = os.path.dirname(normal)
        if parent == normal:
            return False
        normal = parent
    return True


def is_own(resolved: Path, output: Path | None) -> bool:
    """Return whether a resolved path is that of the job's output, of a shard's, or of a file beside one."""
    if output is None or resolved.parent != output.parent:
        return False
    name, own = without_shard(resolved.name), without_shard(output.name)
    return name == own or name.startswith(f"{own}.")
