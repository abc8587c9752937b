"""From what a caller calls a job to a checked ``JobFile``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from batch.app.setup.environment import Environment
from batch.app.setup.price_tables import has_price
from batch.errors import JobFileError, Mistake
from batch.jobfile.job import JobFile
from batch.jobfile.load import load, load_mapping
from batch.results.contents import holds_results

if TYPE_CHECKING:
    from collections.abc import Sequence

Job: TypeAlias = str | Path | Mapping[str, object] | JobFile
"""A job file's path, a mapping with the keys of one, or a job that is loaded already."""


def load_job(
    job: Job,
    *,
    settings: str | Path | None = None,
    overrides: Mapping[str, object] | None = None,
    flags: Mapping[str, str] | None = None,
    allow: Sequence[str | Path] = (),
) -> JobFile:
    """Load and check a job; ``flags`` names the flags that ``overrides`` come from, for mistakes.

    Raises ``JobFileError`` with all its mistakes.
    """
    if isinstance(job, JobFile):
        return job
    trees = [Path(tree) for tree in allow]
    home = Environment.current().home
    if isinstance(job, Mapping):
        return load_mapping(
            job,
            Path.cwd(),
            overrides=overrides,
            allow=trees,
            has_price=has_price,
            home=home,
        )
    path = Path(job)
    if os.path.isdir(path):  # unlike ``Path.is_dir``, it never raises
        raise JobFileError([Mistake(str(path), 0, 0, "", "is a folder, not a job file", _hint(path))])
    if not os.path.lexists(path):
        raise JobFileError([Mistake(str(path), 0, 0, "", "there is no such file", _hint(path.parent))])
    if _holds_results(path):
        hint = "`status`, `show` and `export` take such a file"
        raise JobFileError([Mistake(str(path), 0, 0, "", "holds results, and is no job file", hint)])
    with_file = None if settings is None else Path(settings)
    return load(
        path,
        settings=with_file,
        overrides=overrides,
        flags=flags,
        allow=trees,
        has_price=has_price,
        home=home,
    )


def _holds_results(path: Path) -> bool:
    with suppress(OSError):  # loading says why it cannot be read
        return os.path.isfile(path) and holds_results(path)
    return False


def _hint(folder: Path) -> str:
    near = sorted(path.name for path in folder.glob("*.yaml")) if os.path.isdir(folder) else []
    if near:
        return f"in {folder} there is {', '.join(near[:5])}"
    return "`promptjobs init` writes one to start from"
