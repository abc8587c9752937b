"""``promptjobs models``"""

from __future__ import annotations

import click

from batch.cli.console import emit


@click.command("models")
def command() -> int:
    """List the models of AutonomousAI, with their aliases and paths."""
    from batch.wire.dialects import autonomous

    aliases = {model: alias for alias, model in autonomous.ALIASES.items()}
    for model, path in autonomous.MODELS.items():
        default = "  (default)" if model == autonomous.DEFAULT_MODEL else ""
        emit(f"{model:<12}{aliases.get(model, ''):<22}{path}{default}")
    return 0
