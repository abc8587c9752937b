"""Help in colour on terminals, and a hint for a mistyped command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from batch.cli.console import has_colour

if TYPE_CHECKING:
    from collections.abc import Iterable

OTHER_NAMES = {
    "list": "show",
    "ls": "show",
    "new": "init",
    "lint": "validate",
    "resume": "run",
    "start": "run",
    "results": "show",
    "version": "--version",
}
"""Names that other programs give to what these commands and flags do."""


class HelpFormatter(click.HelpFormatter):
    """Writes headings in bold, and commands and flags in cyan, where ``coloured``."""

    coloured = False

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the usage line."""
        super().write_usage(prog, args, self._bold("Usage:") + " " if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        """Write the heading of a section."""
        self.write(f"{'':>{self.current_indent}}{self._bold(heading + ':')}\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write terms with their explanations."""
        if self.coloured:
            rows = [(click.style(term, fg="cyan"), text) for term, text in rows]
        super().write_dl(rows, col_max, col_spacing)

    def _bold(self, text: str) -> str:
        return click.style(text, bold=True) if self.coloured else text


class HelpContext(click.Context):
    """A context whose help is in colour where standard output is a terminal that wants that."""

    formatter_class = HelpFormatter

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        if has_colour(sys.stdout):
            self.color = True  # else click takes colours out where it sees no terminal

    def make_formatter(self) -> click.HelpFormatter:
        """Return a formatter for help."""
        formatter = super().make_formatter()
        if isinstance(formatter, HelpFormatter):
            formatter.coloured = has_colour(sys.stdout)
        return formatter


def unknown_command(name: str, commands: Iterable[str]) -> str:
    """Say that there is no such command, and which one was probably meant."""
    from batch.diagnostics import closest

    meant = OTHER_NAMES.get(name) or closest(name, commands)
    hint = f"Did you mean '{meant}'?" if meant else "`promptjobs --help` lists the commands."
    return f"No such command '{name}'. {hint}"
