"""The files that ``inputs.csv``, ``jsonl`` and ``parquet`` name: one, several, or the parts in a folder."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from batch.errors import Mistake
from batch.inputs.globs import Walker
from batch.inputs.matches import inside, is_excluded, is_own, matched
from batch.jobfile.paths import real
from batch.jobfile.patterns import fixed_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batch.jobfile import Inputs

_ENDINGS = {
    "csv": (".csv", ".tsv", ".txt"),
    "jsonl": (".jsonl", ".ndjson", ".json"),
    "parquet": (".parquet", ".parq", ".pq"),
}
_PARTITION = re.compile(r"([^=/]+)=([^/]*)\Z")
_NULL = "__HIVE_DEFAULT_PARTITION__"


class Table(NamedTuple):
    """A file of rows. ``partition`` holds the columns that the names of its folders say (``year=2026``)."""

    path: Path
    partition: Mapping[str, str]


def tables(inputs: Inputs, output: Path | None = None) -> Iterator[Table | Mistake]:
    """The files in the order of the patterns and of their paths, each once; mistakes in place of bad ones.

    Of a folder those with the kind's endings are read, below it as well, in the layout of Spark and DuckDB:
    names that begin with a dot or an underscore (``_SUCCESS``) are no rows.
    """
    if inputs.table is not None:
        yield Table(inputs.table, {})
        return
    excluded = matched([pattern[1:] for pattern in inputs.tables if pattern.startswith("!")], inputs)
    seen: set[Path] = set()
    for index, pattern in enumerate(inputs.tables):
        if pattern.startswith("!"):
            continue
        where, place = f"inputs.{inputs.kind}[{index}]", inputs.places[index]
        found, outside = _found(pattern, inputs)
        for link in outside:
            yield _leads_out(link, where)
        if not found and not outside:
            hint = "patterns are relative to the job file"
            yield Mistake(place.path, place.line, place.column, where, "no file matches", hint)
        for table in found:
            resolved = real(table.path)
            if is_excluded(table.path, excluded) or resolved in seen or is_own(resolved, output):
                continue
            seen.add(resolved)
            yield table if inside(resolved, inputs) else _leads_out(table.path, where)


def _leads_out(path: Path, where: str) -> Mistake:
    return Mistake(
        str(path), 0, 0, where, "leads out of the job's root", "`--allow-path` allows another folder"
    )


def _found(pattern: str, inputs: Inputs) -> tuple[list[Table], list[Path]]:
    """The files that a pattern matches, and links to folders outside."""
    prefix, rest = fixed_prefix(inputs.base, pattern.rstrip("/"))
    takes_hidden = any(part.startswith(".") for part in rest.split("/"))
    walker = Walker(lambda path: inside(path, inputs), follow=inputs.follow_symlinks, hidden=takes_hidden)
    path = prefix / rest
    paths = {path} if os.path.lexists(path) else walker.find(prefix, rest)
    found: list[Table] = []
    for each in sorted(paths):
        if not os.path.isdir(each):
            found.append(Table(each, {}))
        elif os.path.islink(each) and not inside(real(each), inputs):
            walker.outside.append(each)
        elif pattern == rest or "**" not in rest:  # with `**` what is below is matched already
            found += _parts(each, inputs.kind, walker)
    return found, sorted(set(walker.outside))


def _parts(folder: Path, kind: str, walker: Walker) -> list[Table]:
    """The files in a folder that hold rows."""
    found = [path for path in walker.find(folder, "**/*") if not os.path.isdir(path)]
    names = {path: path.relative_to(folder).parts for path in found}
    rows = [path for path in found if not any(name.startswith(("_", ".")) for name in names[path])]
    known = [path for path in rows if path.name.lower().endswith(_ENDINGS[kind])]
    return [Table(path, _partition(names[path][:-1])) for path in sorted(known or rows)]


def _partition(folders: tuple[str, ...]) -> dict[str, str]:
    found = [match for name in folders if (match := _PARTITION.match(name))]
    return {unquote(match[1]): "" if match[2] == _NULL else unquote(match[2]) for match in found}
