"""``inputs.files``: documents found by patterns, read one at a time as text.

A document's id is its path below the fixed part of its pattern (``documents/**/*.txt``: ``a.txt``,
``sub/a.txt``), so that a new document never renames another. The variables are ``text``, ``path`` (relative
to the job file's folder, with ``/``), ``name`` (with its suffix) and ``stem`` (without).

The suffix determines the format (``document_text``). Nothing that a document links to is fetched, and images
are not read.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from batch.codec import encode_json
from batch.diagnostics import Place
from batch.errors import Diagnostic
from batch.files import is_unicode, open_regular, reason
from batch.inputs.readers.document_text import FormatError, text_of
from batch.inputs.readers.file_selection import (
    ALLOW,
    document_problem,
    is_excluded,
    is_own,
    matched,
    sorted_out,
    walker_of,
)
from batch.inputs.readers.no_match import no_match
from batch.inputs.readers.row import SKIPS_BLANK, BadRow, InputsDiagnostic, Note, Row
from batch.jobfile.paths import real
from batch.jobfile.patterns import fixed_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from batch.inputs.readers.row import Read
    from batch.jobfile import Inputs

MAX_BYTES = 64 * 2**20
"""The maximum size of a document: 64 MiB, far beyond any model's context."""

VARIABLES = ("text", "path", "name", "stem")
"""What a prompt can use of a document."""

BESIDE_OUTPUTS = (".jsonl.superseded.jsonl", ".jsonl.runs.jsonl")
"""The ends of the names of files that hold superseded answers, and histories of runs."""


class _Found(NamedTuple):
    id: str
    path: Path


def documents(
    inputs: Inputs, output: Path | None = None, takes: Callable[[str], bool] | None = None
) -> Iterator[Read]:
    """Yield the documents in the order of the patterns and of their ids; an error for each invalid one.

    A wide pattern may match the job's own ``output``, files beside it, or the superseded answers or the
    history of another output: they are excluded. A document with several names is read once, under the name
    that is not a link.
    ``takes`` returns whether a document with an id has to be read; the others are not opened.
    """
    found: list[_Found] = []
    included, excluding = sorted_out(inputs.files)
    excluded = matched(excluding, inputs)
    for index, pattern in included.items():
        key, place = f"files[{index}]", inputs.places[index]
        matches, outside = _matches(pattern, inputs)
        for link in outside:
            what = document_problem(real(link.path), inputs) or ""
            yield BadRow(InputsDiagnostic.of(Place(str(link.path)), key, what, ALLOW), link.id)
        if not matches and not outside:
            what, hint = no_match(inputs.base, pattern, "document")
            yield InputsDiagnostic.of(place, key, what, hint)
        for document in matches:
            if is_excluded(document.path, excluded):
                continue
            if problem := document_problem(real(document.path), inputs):
                diagnostic = InputsDiagnostic.of(Place(str(document.path)), key, problem, ALLOW)
                yield BadRow(diagnostic, document.id)
            elif not is_own(real(document.path), output):
                found.append(document)
    for document in _wanted(_with_own_ids(_once(found), inputs.base), takes):
        yield from _read(document, inputs)


def _matches(pattern: str, inputs: Inputs) -> tuple[list[_Found], list[_Found]]:
    """Return the files that the pattern matches, and links to folders outside, by id.

    Hidden ones are included only if the pattern names them.
    """
    prefix, rest = fixed_prefix(inputs.base, pattern)
    takes_hidden = any(part.startswith(".") for part in rest.split("/"))
    walker = walker_of(inputs, hidden=takes_hidden)
    path = prefix / rest
    # A name may look like a pattern, and may be a broken link.
    paths = {path} if os.path.lexists(path) else walker.find(prefix, rest)
    found = (_Found(path.relative_to(prefix).as_posix(), path) for path in paths)
    files = sorted(
        document
        for document in found
        if (takes_hidden or not _is_hidden(document.id))
        and not document.id.endswith(BESIDE_OUTPUTS)
        and not os.path.isdir(document.path)
    )
    return files, sorted(_Found(link.relative_to(prefix).as_posix(), link) for link in walker.outside)


def _once(found: Sequence[_Found]) -> list[_Found]:
    """Return each document once, under its first name that is not a link, or else the first."""
    names: dict[Path, _Found] = {}
    plain: set[Path] = set()
    for document in found:
        resolved = real(document.path)
        if resolved not in names:
            names[resolved] = document
        elif resolved in plain or not _is_plain(document.path, resolved):
            continue
        elif not _is_plain(names[resolved].path, resolved):
            names[resolved] = document
        if _is_plain(document.path, resolved):
            plain.add(resolved)
    kept = set(names.values())
    return [document for document in dict.fromkeys(found) if document in kept]


def _is_plain(path: Path, resolved: Path) -> bool:
    return os.path.normpath(path) == str(resolved)


def _with_own_ids(found: Sequence[_Found], base: Path) -> Iterator[_Found]:
    """Yield the documents; one with a duplicate id gets its path from the job file's folder as its id."""
    taken: set[str] = set()
    own = {document.id for document in found}
    for document in found:
        name = document.id
        if name in taken and (longer := _relative(document.path, base)) not in own | taken:
            name = longer
        taken.add(name)
        yield _Found(name, document.path)


def _wanted(found: Iterable[_Found], takes: Callable[[str], bool] | None) -> Iterable[_Found]:
    return found if takes is None else (document for document in found if takes(document.id))


def _relative(path: Path, base: Path) -> str:
    return Path(os.path.relpath(path, base)).as_posix()


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _read(document: _Found, inputs: Inputs) -> Iterator[Read]:
    name = os.fsencode(document.path).decode(errors="replace")
    if not is_unicode(document.id):
        yield BadRow(Diagnostic(name, 0, 0, "", "a name that is not UTF-8", "rename the document"), name)
        return
    try:
        with open_regular(document.path) as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        yield _bad(document, name, reason(error))
        return
    if len(data) > MAX_BYTES:
        what = f"larger than {MAX_BYTES >> 20} MiB"
        yield _bad(document, name, what, _way_out(document, inputs, "divide it"))
        return
    try:
        text, note = text_of(data, document.path.suffix.lower())
    except FormatError as error:
        if error.is_blank and inputs.on_empty == "skip":
            yield Note(name, SKIPS_BLANK)
        else:
            yield _bad(document, name, error.what, _hint(document, inputs, error))
        return
    if note:
        yield Note(name, note)
    if inputs.on_empty != "send" and (not text or text.isspace()):
        if inputs.on_empty == "skip":
            yield Note(name, SKIPS_BLANK)
        else:
            yield _bad(document, name, "is empty", "`inputs.on_empty` may `skip` or `send` such documents")
        return
    yield _row(document, inputs.base, text, name)


def _row(document: _Found, base: Path, text: str, name: str) -> Row:
    path = _relative(document.path, base)
    variables = {"text": text, "path": path, "name": document.path.name, "stem": document.path.stem}
    return Row(document.id, variables, {"path": path}, name, 0)


def _bad(document: _Found, name: str, what: str, hint: str = "") -> BadRow:
    return BadRow(Diagnostic(name, 0, 0, "", what, hint), document.id)


def _hint(document: _Found, inputs: Inputs, error: FormatError) -> str:
    if not error.is_of_document:
        return error.hint
    if error.is_blank:  # its hint is no fix
        return f"{error.hint}; {_way_out(document, inputs)}"
    return _way_out(document, inputs, error.hint)


def _way_out(document: _Found, inputs: Inputs, fix: str = "") -> str:
    """Return what can be done about an unreadable document: the ``fix``, and how to do without it."""
    pattern = encode_json(f"!{_relative(document.path, inputs.base)}").decode()
    exclude = f"exclude it with `{pattern}` in `inputs.files`"
    ways = f"{fix}, or {exclude}" if fix else exclude
    return ways if inputs.skips else f"{ways}; `inputs.on_bad_row: skip` sends the others"
