"""``promptjobs check``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from batch.cli.console import print_json, print_line
from batch.cli.flags import option
from batch.cli.job_options import job_flags

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch.app.inspect.check import Audit, Ids
    from batch.records import JSONObject


@click.command("check")
@job_flags
@option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(jobfile: Path, as_json: bool, **job: Any) -> int:
    """Verify that every request has exactly one result or error.

    Reports requests without a line, duplicate lines, damaged lines and lines that answer an earlier version
    of a request. Also reports a succeeded line whose finish reason says that the answer broke off, was
    filtered, or is unknown. Any of these makes the exit code 1. Lines of requests that the job no longer has
    are listed but are not an error. This command sends nothing and changes nothing.
    """
    from batch.app.inspect.check import audit
    from batch.cli.job_loading import load

    found = audit(load(jobfile, **job))
    if as_json:
        print_json(_for_programs(found))
    else:
        for line in _print_text(found):
            print_line(line)
    return 0 if found.is_valid else 1


def _kinds(found: Audit) -> dict[str, Ids]:
    return {
        "missing": found.missing,
        "stale": found.stale,
        "duplicates": found.duplicates,
        "orphans": found.orphans,
        "restated": found.restated,
    }


def _for_programs(found: Audit) -> JSONObject:
    return {
        "schema_version": 1,
        "output": str(found.output),
        "sound": found.is_valid,
        "requests": found.requests,
        "succeeded": found.succeeded,
        "failed": found.failed,
        "pending": found.pending,
        **{name: {"number": ids.number, "first": ids.first} for name, ids in _kinds(found).items()},
        "damaged": found.damaged,
    }


def _print_text(found: Audit) -> Iterator[str]:
    yield f"output      {found.output}"
    yield f"requests    {found.requests}"
    yield f"succeeded   {found.succeeded}"
    yield f"failed      {found.failed}"
    yield f"pending     {found.pending}"
    for name, ids in _kinds(found).items():
        if ids.number:
            more = ", …" if ids.number > len(ids.first) else ""
            yield f"{name:<12}{ids.number}: {', '.join(ids.first)}{more}"
    if found.damaged:
        yield f"damaged     {found.damaged}"
    if found.is_valid:
        yield "every request has exactly one result or error"
    else:
        yield "`promptjobs run` sends missing and stale requests and removes the other lines"
