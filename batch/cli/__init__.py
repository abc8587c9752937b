"""The command line: arguments, printing and exit codes, without logic. One module per command."""

from __future__ import annotations

import errno
import sys
from importlib import import_module

import click

from batch._version import __version__
from batch.cli import streams
from batch.cli.console import print_message, print_traceback, report_error
from batch.cli.help import HelpContext, unknown_command
from batch.errors import InternalError, PromptJobsError, one_line
from batch.exit_codes import SIGNALS

COMMANDS = {
    "init": "Write a commented job file to start from.",
    "validate": "Check job files and their inputs, and report every error.",
    "run": "Send every request that has not succeeded yet.",
    "retry": "Send every failed request again.",
    "status": "Show the progress of a job.",
    "show": "Show a table of all requests, or those with the given IDs.",
    "diff": "Compare two outputs: changed answers, and what they cost.",
    "report": "Write the results as one HTML page, to read in a browser.",
    "check": "Verify that every request has exactly one result or error.",
    "export": "Write results as a data set or a table.",
    "merge": "Merge the outputs of a job's shards into one.",
    "serve": "Run the embedded model as a server.",
    "models": "List the models of AutonomousAI, with their aliases and paths.",
    "schema": "Print the JSON Schema of job files (draft 7).",
    "trust": "Allow a key to be sent to an origin.",
    "completion": "Print a script for the shell that completes commands.",
}
"""What each command does: the first sentence of its help. Importing all commands for that takes a while."""


class LazyGroup(click.Group):
    """Imports a command's module when the command is used; the list of commands imports none."""

    context_class = HelpContext

    def list_commands(self, _: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = import_module(f"batch.cli.{name}").command
        assert isinstance(command, click.Command)  # noqa: S101
        command.context_class = HelpContext
        return command

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0].endswith((".yaml", ".yml", ".jsonl")):
            context.fail(f"No such command '{args[0]}'. To run a job file: promptjobs run {args[0]}")
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not context.resilient_parsing:
            context.fail(unknown_command(args[0], COMMANDS))
        return super().resolve_command(context, args)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Options can also be set by environment variables, such as PROMPTJOBS_MAX_DURATION for "
    "`--max-duration`.",
)
@click.version_option(__version__, "-V", "--version", prog_name="promptjobs")
def commands() -> None:
    """Run batches of prompts unattended and record one result per request."""


def main() -> None:
    """The entry point of ``promptjobs`` and ``python -m batch``."""
    try:
        streams.open_missing()
        code = _run_command()
        streams.settle()
    except KeyboardInterrupt:
        code = 130
    if code in SIGNALS:
        streams.end_at_once(code)
    sys.exit(code)


def _run_command() -> int:
    """Run the command that the arguments name, report errors, and return its exit code."""
    try:
        return commands.main(prog_name="promptjobs", standalone_mode=False) or 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except click.Abort:
        return 130
    except PromptJobsError as error:
        report_error(error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - report any exception in one sentence
        return _report_unexpected(error)


def _report_unexpected(error: Exception) -> int:
    """Report an unexpected error, and return its exit code."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        print_message("promptjobs: the open-file limit is reached; raise it, see `ulimit -n`")
    else:
        print_traceback(error)
        print_message(f"promptjobs: internal error: {one_line(error)}")
    return InternalError.exit_code
