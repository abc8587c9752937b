"""The flags that choose and change a job; several commands share them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from batch.cli.console import option

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.jobfile.job import JobFile

F = TypeVar("F", bound="Callable[..., Any]")


class Setting(click.ParamType[str]):
    """``KEY=VALUE``; in the environment, one a line."""

    name = "setting"
    envvar_list_splitter = "\n"


FILE = click.Path(path_type=Path)

_FLAGS: tuple[Callable[[Any], Any], ...] = (
    click.argument("jobfile", type=FILE),
    option(
        "-o", "--output", type=FILE, metavar="FILE", help="The file of results, in place of the job's own."
    ),
    option(
        "--with",
        "settings",
        type=FILE,
        metavar="FILE",
        help="Settings for a JSONL job file: a YAML file with any key but prompts and inputs.",
    ),
    option("--provider", type=click.Choice(["autonomous", "openai"]), help="The dialect to speak."),
    option("--base-url", metavar="URL", help="Where to send requests; `local` is the embedded endpoint."),
    option("--model", metavar="NAME", help="The model to ask, in place of those of the job file."),
    option(
        "--set",
        "settings_list",
        multiple=True,
        type=Setting(),
        metavar="KEY=VALUE",
        help="Set any key of the job file, such as params.temperature=0.2. Can be repeated.",
    ),
    option(
        "--allow-path",
        multiple=True,
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Let the job file's paths lead into this directory too. Can be repeated.",
    ),
)


def job_flags(function: F) -> F:
    """Add the flags. The command passes them all to ``load`` as keywords."""
    for flag in reversed(_FLAGS):
        function = flag(function)
    return function


def load(
    jobfile: Path,
    *,
    output: Path | None,
    settings: Path | None,
    provider: str | None,
    base_url: str | None,
    model: str | None,
    settings_list: tuple[str, ...],
    allow_path: tuple[Path, ...],
    more: dict[str, object] | None = None,
) -> JobFile:
    """The checked job behind the flags; ``more`` are further keys that flags stand for."""
    from batch.app.jobs import load_job

    overrides: dict[str, object] = dict(map(_setting, settings_list))
    flags = {"provider": provider, "base_url": base_url, "model": model, **(more or {})}
    overrides.update({key: value for key, value in flags.items() if value is not None})
    if output is not None:
        overrides["output.path"] = output.absolute()
    return load_job(jobfile, settings=settings, overrides=overrides, allow=allow_path)


def _setting(text: str) -> tuple[str, object]:
    """``params.temperature=0.2`` as a dotted key and a value, written as in a job file."""
    from batch.jobfile.trees import from_yaml

    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise click.UsageError(f"--set takes KEY=VALUE, not {text!r}")
    return key.strip(), from_yaml(f"value: {value}", f"--set {key.strip()}").value["value"]
