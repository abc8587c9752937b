"""``promptjobs schema``"""

from __future__ import annotations

import json

import click

from batch.cli.console import emit


@click.command("schema")
def command() -> int:
    """Print the JSON Schema of job files (draft 7).

    Editors check and complete a job file whose first line names the schema:

    \b
      # yaml-language-server: $schema=promptjobs.schema.json
    """
    from batch.jobfile.schema.json_schema import json_schema

    emit(json.dumps(json_schema(), indent=2))
    return 0
