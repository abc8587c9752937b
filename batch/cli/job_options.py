"""The flags that select and change a job; several commands share them."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from batch.cli.console import PerLine, option
from batch.wire.dialects.registry import names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click.shell_completion import CompletionItem

    from batch.jobfile.job import JobFile
    from batch.jobfile.shard import Shard

F = TypeVar("F", bound="Callable[..., Any]")
T = TypeVar("T")


class Setting(PerLine):
    """``KEY=VALUE``."""

    name = "setting"


FILE = click.Path(
    path_type=Path, readable=False
)  # a value that cannot be parsed is reported like other errors


class ShardNumber(click.ParamType["Shard"]):
    """``I/N``."""

    name = "shard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        """Return the shard."""
        from batch.jobfile.shard import Shard

        try:
            return value if isinstance(value, Shard) else Shard.parse(str(value))
        except ValueError:
            form = "write I/N, with I from 1 to N, such as 1/3 for the first of three shards"
            self.fail(f"{value!r} is not a shard; {form}", param, ctx)


class NewFile(click.ParamType[Path | None]):
    """A file to be written. For ``-`` it fails with the message ``dash``, or is ``None`` if that is empty."""

    name = "file"

    def __init__(self, dash: str = "") -> None:
        self._dash = dash

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | None:
        """Return the path."""
        text = os.fspath(value)
        if text == "-":
            if self._dash:
                self.fail(self._dash, param, ctx)
            return None
        if text.endswith("/"):
            self.fail(f"{text!r} is a folder; name a file in it", param, ctx)
        return Path(text)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click passes them
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Let the shell complete the name of a file."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


_OUTPUT = option(
    "-o",
    "--output",
    type=NewFile(dash="results must be written to a file, so that the next run can resume; name one"),
    metavar="FILE",
    help="The output file to use instead of the job's own.",
)
_CHANGES: tuple[Callable[[Any], Any], ...] = (
    option(
        "--with",
        "settings",
        type=FILE,
        metavar="FILE",
        help="A YAML file of settings for a JSONL job file: any key except prompts and inputs.",
    ),
    option("--provider", type=click.Choice(sorted(names())), help="The API dialect of the endpoint."),
    option("--base-url", metavar="URL", help="The address of the endpoint; `local` starts the embedded one."),
    option("--model", metavar="NAME", help="The model to use instead of those in the job file."),
    option(
        "--set",
        "settings_list",
        multiple=True,
        type=Setting(),
        metavar="KEY=VALUE",
        help="Set a key of the job file, such as params.temperature=0.2. Can be repeated.",
    ),
    option(
        "--allow-path",
        multiple=True,
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Also allow paths in the job file to point into this directory. Can be repeated.",
    ),
)


shard_option = option(
    "--shard",
    type=ShardNumber(),
    metavar="I/N",
    help="Take only shard I of N, with an output of its own and a share of rates and budgets.",
)


def job_flags(function: F) -> F:
    """Add the job file and its flags. The command passes them all to ``load`` as keywords."""
    return _with_flags(click.argument("jobfile", type=FILE)(function), (_OUTPUT, *_CHANGES))


def job_changes(function: F) -> F:
    """Add the same flags without ``--output``, for a command that writes elsewhere."""
    return _with_flags(click.argument("jobfile", type=FILE)(function), _CHANGES)


def jobs_flags(function: F) -> F:
    """Add the same flags for several job files, which the command passes to ``load_all``."""
    files = click.argument("jobfiles", type=FILE, nargs=-1, required=True, metavar="JOBFILE...")
    return _with_flags(files(function), (_OUTPUT, *_CHANGES))


def jobs_changes(function: F) -> F:
    """Add them without ``--output``, for a command that reads several job files and writes elsewhere."""
    files = click.argument("jobfiles", type=FILE, nargs=-1, required=True, metavar="JOBFILE...")
    return _with_flags(files(function), _CHANGES)


def job_settings(function: F) -> F:
    """Add them without a job file, for a command that names its arguments itself."""
    return _with_flags(function, _CHANGES)


def _with_flags(function: F, flags: Sequence[Callable[[Any], Any]]) -> F:
    for flag in reversed(flags):
        function = flag(function)
    return function


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
