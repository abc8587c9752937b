"""The files of rows that ``inputs`` names: one, several, or the parts in a folder."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from batch.diagnostics import Place
from batch.inputs.readers.file_selection import (
    ALLOW,
    document_problem,
    is_excluded,
    is_own,
    matched,
    sorted_out,
    walker_of,
)
from batch.inputs.readers.globs import could_match
from batch.inputs.readers.no_match import no_match
from batch.inputs.readers.registry import reader_of
from batch.inputs.readers.row import InputsDiagnostic
from batch.jobfile.paths import near_file, real, shown_path
from batch.jobfile.patterns import fixed_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batch.errors import Diagnostic
    from batch.inputs.readers.globs import Walker
    from batch.jobfile import Inputs

_PARTITION = re.compile(r"([^=/]+)=([^/]*)\Z")
_NULL = "__HIVE_DEFAULT_PARTITION__"


class Table(NamedTuple):
    """A file of rows. ``partition`` holds the columns that its folders define (``year=2026``)."""

    path: Path
    partition: Mapping[str, str]


def tables(inputs: Inputs, output: Path | None = None) -> Iterator[Table | Diagnostic]:
    """Yield the files in the order of the patterns and of their paths, each once; errors for invalid ones.

    In a folder and its subfolders, files with the format's suffixes are read, in the layout of Spark and
    DuckDB: names that begin with a dot or an underscore (``_SUCCESS``) are not rows.
    """
    if inputs.table is not None:
        yield Table(inputs.table, {})
        return
    included, excluding = sorted_out(inputs.tables)
    excluded = matched(excluding, inputs)
    seen: set[Path] = set()
    for index, pattern in included.items():
        key, place = f"{inputs.kind}[{index}]", inputs.places[index]
        found, outside = _found(pattern, inputs)
        for link in outside:
            yield _refused(link, key, document_problem(real(link), inputs) or "")
        if not found and not outside:
            what, hint = no_match(inputs.base, pattern, "file")
            yield InputsDiagnostic.of(place, key, what, hint)
        for table in found:
            resolved = real(table.path)
            if is_excluded(table.path, excluded) or resolved in seen or is_own(resolved, output):
                continue
            seen.add(resolved)
            problem = document_problem(resolved, inputs)
            yield _refused(table.path, key, problem) if problem else table


def missing_table(inputs: Inputs) -> Diagnostic | None:
    """Return the error of a single file that does not exist, at its place in the job file."""
    path = inputs.table
    if path is None or os.path.lexists(path):
        return None
    hint = "run the job that writes it first" if inputs.kind == "results" else near_file(path)
    name = path.relative_to(inputs.base) if path.is_relative_to(inputs.base) else path
    what = f"{shown_path(name)}: no such file"
    return InputsDiagnostic.of(inputs.table_place, inputs.kind, what, hint)


def may_read(inputs: Inputs, path: Path) -> bool:
    """Return whether a file of rows, which may not exist yet, would be among the job's."""
    if inputs.table is not None:
        return inputs.table == path
    included, excluding = sorted_out(inputs.tables)
    if any(could_match(path, inputs.base, pattern) for pattern in excluding):
        return False
    return any(
        could_match(path, inputs.base, pattern) or path.is_relative_to(real(inputs.base / pattern))
        for pattern in included.values()
    )


def _refused(path: Path, key: str, problem: str) -> Diagnostic:
    return InputsDiagnostic.of(Place(str(path)), key, problem, ALLOW)


def _found(pattern: str, inputs: Inputs) -> tuple[list[Table], list[Path]]:
    """Return the files that a pattern matches, and links to folders outside."""
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
        elif os.path.islink(each) and document_problem(real(each), inputs):
            walker.outside.append(each)
        elif "**" not in rest:  # otherwise the pattern already matches what is below
            found += _parts(each, inputs.kind, walker)
    return found, sorted(set(walker.outside))


def _is_marker(name: str, kind: str) -> bool:
    """Return whether a name marks something other than rows, such as ``_SUCCESS``."""
    return name.startswith("_") and not name.lower().endswith(reader_of(kind).ENDINGS)


def _parts(folder: Path, kind: str, walker: Walker) -> list[Table]:
    """Return the files in a folder that hold rows."""
    found = [path for path in walker.find(folder, "**/*") if not os.path.isdir(path)]
    names = {path: path.relative_to(folder).parts for path in found}
    rows = [path for path in found if not any(name.startswith(("_", ".")) for name in names[path])]
    known = [path for path in rows if path.name.lower().endswith(reader_of(kind).ENDINGS)]
    return [Table(path, _partition(names[path][:-1])) for path in sorted(known or rows)]


def _partition(folders: tuple[str, ...]) -> dict[str, str]:
    found = [match for name in folders if (match := _PARTITION.match(name))]
    return {unquote(match[1]): "" if match[2] == _NULL else unquote(match[2]) for match in found}
