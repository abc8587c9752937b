"""The files of rows that ``inputs`` names: one, several, or the parts in a folder."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from batch.errors import Mistake
from batch.inputs.readers.file_selection import (
    ALLOW,
    complaint_about,
    is_excluded,
    is_own,
    matched,
    walker_of,
)
from batch.inputs.readers.globs import could_match
from batch.inputs.readers.registry import reader_of
from batch.jobfile.paths import real
from batch.jobfile.patterns import fixed_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batch.inputs.readers.globs import Walker
    from batch.jobfile import Inputs

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
            yield _refused(link, where, complaint_about(real(link), inputs) or "")
        if not found and not outside:
            hint = "patterns are relative to the job file"
            yield Mistake(place.path, place.line, place.column, where, "no file matches", hint)
        for table in found:
            resolved = real(table.path)
            if is_excluded(table.path, excluded) or resolved in seen or is_own(resolved, output):
                continue
            seen.add(resolved)
            complaint = complaint_about(resolved, inputs)
            yield _refused(table.path, where, complaint) if complaint else table


def may_read(inputs: Inputs, path: Path) -> bool:
    """Whether a file of rows, which may not be there yet, would be among the job's."""
    if inputs.table is not None:
        return inputs.table == path
    excludes = [pattern[1:] for pattern in inputs.tables if pattern.startswith("!")]
    if any(could_match(path, inputs.base, pattern) for pattern in excludes):
        return False
    return any(
        could_match(path, inputs.base, pattern) or path.is_relative_to(real(inputs.base / pattern))
        for pattern in inputs.tables
        if not pattern.startswith("!")
    )


def _refused(path: Path, where: str, complaint: str) -> Mistake:
    return Mistake(str(path), 0, 0, where, complaint, ALLOW)


def _found(pattern: str, inputs: Inputs) -> tuple[list[Table], list[Path]]:
    """The files that a pattern matches, and links to folders outside."""
    prefix, rest = fixed_prefix(inputs.base, pattern.rstrip("/"))
    takes_hidden = any(part.startswith(".") for part in rest.split("/"))
    walker = walker_of(inputs, hidden=takes_hidden)
    path = prefix / rest
    paths = {path} if os.path.lexists(path) else walker.find(prefix, rest)
    found: list[Table] = []
    for each in sorted(paths):
        if not os.path.isdir(each):
            if each == path or not _is_marker(each.name, inputs.kind):
                found.append(Table(each, _partition(each.relative_to(prefix).parts[:-1])))
        elif os.path.islink(each) and complaint_about(real(each), inputs):
            walker.outside.append(each)
        elif "**" not in rest:  # else what is below is matched already
            found += _parts(each, inputs.kind, walker)
    return found, sorted(set(walker.outside))


def _is_marker(name: str, kind: str) -> bool:
    """Whether a name is that of no rows, such as ``_SUCCESS``."""
    return name.startswith("_") and not name.lower().endswith(reader_of(kind).ENDINGS)


def _parts(folder: Path, kind: str, walker: Walker) -> list[Table]:
    """The files in a folder that hold rows."""
    found = [path for path in walker.find(folder, "**/*") if not os.path.isdir(path)]
    names = {path: path.relative_to(folder).parts for path in found}
    rows = [path for path in found if not any(name.startswith(("_", ".")) for name in names[path])]
    known = [path for path in rows if path.name.lower().endswith(reader_of(kind).ENDINGS)]
    return [Table(path, _partition(names[path][:-1])) for path in sorted(known or rows)]


def _partition(folders: tuple[str, ...]) -> dict[str, str]:
    found = [match for name in folders if (match := _PARTITION.match(name))]
    return {unquote(match[1]): "" if match[2] == _NULL else unquote(match[2]) for match in found}
