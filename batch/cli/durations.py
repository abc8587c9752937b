"""Durations on the command line, written as in job files."""

from __future__ import annotations

from typing import Any

import click


class Duration(click.ParamType[float]):
    """``90s``, ``500ms``, ``5m``, ``2h``, or a number of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        from batch.jobfile.schema.types import seconds

        if isinstance(value, int | float):
            return float(value)
        try:
            return seconds(str(value))
        except ValueError:
            self.fail(f"{value!r} is no duration; write 90s, 500ms, 5m or 2h", param, ctx)


DURATION = Duration()
