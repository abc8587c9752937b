"""Declare the flags of commands, each of which can also be set by a variable in the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

F = TypeVar("F", bound="Callable[..., Any]")


def option(*names: str, **settings: Any) -> Callable[[F], F]:
    """A flag that can also be given as ``PROMPTJOBS_<LONG NAME>`` in the environment."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    variable = "PROMPTJOBS_" + long.removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, **settings)


def with_flags(function: F, flags: Sequence[Callable[[Any], Any]]) -> F:
    """Add flags to a command, in the order in which its help lists them."""
    for flag in reversed(flags):
        function = flag(function)
    return function
