"""``promptjobs show`` without ids: the requests as a table or as JSON Lines."""

from __future__ import annotations

import sys
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

from batch.cli.console import counted, emit, has_colour, print_json, print_line, print_message
from batch.cli.result_table import table, tokens

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from batch.app.inspect.listing import Listing, Row
    from batch.records import JSONObject

DEFAULT_LIMIT = 50
"""Rows of a table for which no other limit is given."""

_WIDTH = 120
"""Columns of a table that is not written to a terminal."""


def show(
    path: Path,
    job: dict[str, Any],
    statuses: Collection[str],
    codes: tuple[str, ...],
    text: str,
    limit: int | None,
    *,
    as_json: bool,
) -> int:
    """Print the requests of a job or of an output that pass the filters, and say how many were left out."""
    from batch.app.inspect.listing import Listing
    from batch.app.inspect.row_filters import Filters
    from batch.cli.job_loading import is_results, load

    if limit is None and not as_json:
        limit = DEFAULT_LIMIT
    listing = Listing(Filters(frozenset(statuses), codes, text), limit)
    rows = listing.of_output(path) if is_results(path) else listing.of_job(load(path, **job))
    if as_json:
        for row in rows:
            print_json(_for_programs(row))
        if listing.left_out:
            print_message(_left_out(listing))
        return 0
    width = get_terminal_size((_WIDTH, 24)).columns
    for line in table(rows, width, colour=has_colour(sys.stdout)):
        emit(line)
    for line in _in_words(listing):
        print_line(line)
    return 0


def _for_programs(row: Row) -> JSONObject:
    return {
        "schema_version": 1,
        "id": row.id,
        "status": row.status,
        "code": row.code or None,
        "tokens": tokens(row),
        "stale": row.stale,
        "result": row.result,
    }


def _in_words(listing: Listing) -> Iterator[str]:
    counts = listing.counts
    parts = [f"{counts['succeeded']} succeeded", f"{counts['failed']} failed"]
    parts += [f"{counts['pending']} pending"] if counts["pending"] else []
    yield f"{counted(counts.total(), 'request')}: {', '.join(parts)}"
    if listing.left_out:
        yield _left_out(listing)
    elif not listing.matching and counts:
        yield "none of them matches"


def _left_out(listing: Listing) -> str:
    return (
        f"{listing.shown} of {listing.matching} shown, {listing.left_out} left out; "
        f"`--limit {listing.matching}` shows all"
    )
