"""The types of what flags and arguments take.

Durations are written as in job files.
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from batch.jobfile.shard import Shard

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}


class PerLine(click.ParamType[str]):
    """A text that can be repeated; in the environment, one per line."""

    name = "text"
    envvar_list_splitter = "\n"


class NameIn(click.Choice[str]):
    """A name that a registry knows: a module with ``names()``, which is imported when they are needed."""

    def __init__(self, registry: str) -> None:
        self.case_sensitive = True
        self._registry = registry

    @cached_property
    def choices(self) -> tuple[str, ...]:  # type: ignore[override] # read-only, as it is in practice
        """The names, in the order of the registry."""
        return tuple(import_module(self._registry).names())


class Setting(PerLine):
    """``KEY=VALUE``."""

    name = "setting"


class Duration(click.ParamType[float]):
    """``90s``, ``500ms``, ``5m``, ``2h``, or a number of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the duration in seconds."""
        from batch.jobfile.schema.types import seconds

        if isinstance(value, int | float):
            return float(value)
        try:
            return seconds(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a duration; write 90s, 500ms, 5m or 2h", param, ctx)


class Size(click.ParamType[int]):
    """``40MB``, ``500kB``, or a number of bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the size in bytes."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKMG]?B?)", str(value).strip())
        if not found or (unit := found[2].upper()) not in _UNITS:
            self.fail(f"{value!r} is not a size; write 40MB, 500kB or a number of bytes", param, ctx)
        return int(float(found[1]) * _UNITS[unit])


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


DURATION = Duration()

FILE = click.Path(path_type=Path, readable=False)
"""A file that is read. What cannot be read is reported as other errors in it are."""
