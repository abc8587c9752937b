"""``promptjobs init``"""

from __future__ import annotations

import json
from pathlib import Path

import click

from batch.cli.console import print_message
from batch.cli.flags import option
from batch.errors import UsageError

SERVERS = ("local", "openai", "ollama", "vllm", "llama.cpp")
"""Those of ``jobfile.init_template``, which help does not import."""


@click.command("init")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=".")
@option(
    "--from",
    "server",
    type=click.Choice(SERVERS),
    default=SERVERS[0],
    show_default=True,
    help="The server that the job is for; local is the embedded model.",
)
def command(directory: Path, server: str) -> int:
    """Write a commented job file to start from.

    The file is DIRECTORY/job.yaml; the default is the current directory. An existing file is not
    overwritten. promptjobs.schema.json is written next to it, so that editors can check and complete the job
    file.
    """
    from batch.jobfile.init_template import SCHEMA_FILE, job_template
    from batch.jobfile.schema.json_schema import json_schema

    path = directory / "job.yaml"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(job_template(server))
        # An existing schema may be an older version's; the job file's first line needs this version.
        schema = json.dumps(json_schema(), indent=2) + "\n"
        (directory / SCHEMA_FILE).write_text(schema, encoding="utf-8")
    except FileExistsError:
        raise UsageError(f"{path} already exists and was not changed") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    print_message(
        f"wrote {path}; put texts into {directory / 'documents'} and run it with: promptjobs run {path}"
    )
    return 0
