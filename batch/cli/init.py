"""``promptjobs init``"""

from __future__ import annotations

from pathlib import Path

import click

from batch.cli.console import say
from batch.errors import UsageError


@click.command("init")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=".")
def command(directory: Path) -> int:
    """Write a commented job file to start from.

    The file is DIRECTORY/job.yaml, in the current directory where none is named. One that is there
    already is left as it is.
    """
    from batch.jobfile.starter import starter

    path = directory / "job.yaml"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(starter("job"))
    except FileExistsError:
        raise UsageError(f"{path} is there already; it was left as it is") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    say(f"wrote {path}; put texts into {directory / 'documents'} and run it with: promptjobs run {path}")
    return 0
