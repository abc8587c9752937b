"""``promptjobs completion``"""

from __future__ import annotations

import click

from batch.cli.console import emit

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_PROMPTJOBS_COMPLETE"
"""The environment variable by which a shell asks for completions."""


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> int:
    """Print a script for the shell that completes commands. It completes flags and file names, too.

    \b
      bash  promptjobs completion bash > ~/.local/share/bash-completion/completions/promptjobs
      zsh   promptjobs completion zsh > "${fpath[1]}/_promptjobs"
      fish  promptjobs completion fish > ~/.config/fish/completions/promptjobs.fish

    They take effect in a new shell; bash must be 4.4 or newer. For this shell only:

    \b
      eval "$(promptjobs completion bash)"
    """
    from click.shell_completion import get_completion_class

    from batch.cli import commands

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click has all of them
    script = kind(commands, {}, "promptjobs", VARIABLE)
    emit((script.source_template % script.source_vars()).strip())
    return 0
