"""Load the jobs that the arguments and flags of a command name."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from batch.jobfile.job import JobFile
    from batch.jobfile.shard import Shard

T = TypeVar("T")


def is_results(path: Path) -> bool:
    """Return whether a path that may be a job file or an output is an output."""
    from batch.results.contents import holds_results, is_output

    try:
        return os.path.isfile(path) and (is_output if path.suffix == ".jsonl" else holds_results)(path)
    except OSError:
        return False  # reading it as a job file reports the reason


def load_all(jobfiles: Sequence[Path], *, shard: Shard | None, **flags: Any) -> list[JobFile]:
    """Load and check the jobs that the flags select. Raises ``JobFileError`` with the errors of all."""
    from batch.app.run.several_jobs import check_outputs, together

    jobs = together(loads(jobfiles, shard=shard, **flags))
    check_outputs(jobs)
    return jobs


def load_each(jobfiles: Sequence[Path], **flags: Any) -> list[JobFile]:
    """Load and check each job, without comparing them. Raises ``JobFileError`` with the errors of all."""
    from batch.app.run.several_jobs import together

    return together(_loads(jobfiles, None, flags))


def of_each(
    paths: Sequence[Path], of_output: Callable[[Path], T], of_job: Callable[[JobFile], T], **flags: Any
) -> list[T]:
    """Return a value for each output and for each job file, in order. All job files are checked first."""
    jobs = iter(load_each([path for path in paths if not is_results(path)], **flags))
    return [of_output(path) if is_results(path) else of_job(next(jobs)) for path in paths]


def loads(jobfiles: Sequence[Path], *, shard: Shard | None, **flags: Any) -> list[Callable[[], JobFile]]:
    """Return for each job file a function that loads and checks it, and raises ``JobFileError``."""
    if len(jobfiles) > 1 and flags["output"] is not None:
        raise click.UsageError("--output names one file, and several job files write one each")
    if len(jobfiles) > 1 and shard is not None:
        raise click.UsageError(
            "--shard takes one job file: the next job needs the merged results of the first"
        )
    return _loads(jobfiles, shard, flags)


def _loads(
    jobfiles: Sequence[Path], shard: Shard | None, flags: dict[str, Any]
) -> list[Callable[[], JobFile]]:
    if len(jobfiles) == 1:
        return [lambda: _part(load(jobfiles[0], **flags), shard)]
    return [partial(load, path, **_fitting(path, flags)) for path in jobfiles]


def _part(job: JobFile, shard: Shard | None) -> JobFile:
    """Return the part of a job that its shard runs; the job itself without a shard."""
    if shard is None:
        return job
    from batch.app.setup.sharded import sharded

    return sharded(job, shard)


def _fitting(path: Path, flags: dict[str, Any]) -> dict[str, Any]:
    """Pass a separate settings file only to the JSONL files among several."""
    from batch.jobfile.load import ROWS

    return flags if path.suffix.lower() in ROWS else flags | {"settings": None}


def load(
    jobfile: Path,
    *,
    output: Path | None = None,
    settings: Path | None,
    provider: str | None,
    base_url: str | None,
    model: str | None,
    settings_list: tuple[str, ...],
    allow_path: tuple[Path, ...],
    more: dict[str, object] | None = None,
) -> JobFile:
    """Load and check the job that the flags select; ``more`` are keys set by further flags."""
    from batch.app.setup.load_job import load_job

    overrides: dict[str, object] = dict(map(_setting, settings_list))
    given = {
        "provider": provider,
        "base_url": base_url,
        "model": model,
        "output.path": output and output.absolute(),
        **(more or {}),
    }
    given = {key: value for key, value in given.items() if value is not None}
    flags = {key: _flag(key) for key in given}
    return load_job(jobfile, settings=settings, overrides=overrides | given, flags=flags, allow=allow_path)


def _flag(key: str) -> str:
    """Return the flag that sets a key: ``--max-attempts`` for ``retries.max_attempts``."""
    return _OTHERWISE_CALLED.get(key, "--" + key.rpartition(".")[2].replace("_", "-"))


_OTHERWISE_CALLED = {"output.path": "--output", "limits.cost": "--max-cost", "limits.time": "--max-duration"}


def _setting(text: str) -> tuple[str, object]:
    """Parse ``params.temperature=0.2`` into a dotted key and a value, as in a job file."""
    from batch.jobfile.syntax.tree import from_yaml

    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise click.UsageError(f"--set takes KEY=VALUE, not {text!r}")
    return key.strip(), from_yaml(f"value: {value}", f"--set {key.strip()}").value["value"]
