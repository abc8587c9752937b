"""Writes ``docs/cli.md`` from the command's own help: ``python -m tests.docs.make_cli_docs``."""

from __future__ import annotations

from pathlib import Path

import click

from batch.cli import COMMANDS, commands

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
WIDTH = 100

_HEAD = """\
# The command line

This page is the commands' own help, written by `python -m tests.docs.make_cli_docs`.
"""


def page() -> str:
    """The page as it should be."""
    group = click.Context(commands, info_name="promptjobs", terminal_width=WIDTH, **commands.context_settings)
    sections = [_section("promptjobs", commands.get_help(group))]
    for name in COMMANDS:
        command = commands.get_command(group, name)
        assert command is not None
        context = click.Context(command, parent=group, info_name=name)
        sections.append(_section(f"promptjobs {name}", command.get_help(context)))
    return "\n".join([_HEAD, *sections])


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n```text\n{text.rstrip()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
