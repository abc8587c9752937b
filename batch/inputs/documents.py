"""``inputs.files``: documents found by patterns, read one at a time.

A document's id is its path below the fixed part of its pattern (``documents/**/*.txt``: ``a.txt``,
``sub/a.txt``), so that a new document never renames another. The variables are ``text``, ``path`` (relative
to the job file's folder, with ``/``), ``name`` (with its ending) and ``stem`` (without). Text and Markdown
are taken as they stand; what ``formats`` knows by its ending is turned into text.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from batch.errors import Mistake
from batch.inputs.encodings import NO_TEXT, decoded
from batch.inputs.formats import MIME_TYPES, FormatError, text_of
from batch.inputs.row import BadRow, Note, Row
from batch.jobfile.files import open_regular, reason
from batch.jobfile.paths import path_complaint, real
from batch.jobfile.patterns import fixed_prefix
from batch.jobfile.trees import is_unicode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.inputs.row import Read
    from batch.jobfile import Inputs

MAX_BYTES = 64 * 2**20
"""The largest document: 64 MiB, far beyond any model's context."""


class _Found(NamedTuple):
    id: str
    path: Path


def documents(inputs: Inputs, output: Path | None = None) -> Iterator[Read]:
    """The documents in the order of the patterns and of their ids; a mistake in place of each bad one.

    A pattern that is wide enough to match the job's own ``output``, or a file beside it, does not mean it.
    """
    seen: set[Path] = set()
    for index, pattern in enumerate(inputs.files):
        where, place = f"inputs.files[{index}]", inputs.places[index]
        found = _matches(pattern, inputs.base)
        if not found:
            hint = "patterns are relative to the job file"
            yield Mistake(place.path, place.line, place.column, where, "no document matches", hint)
        for document in found:
            resolved = real(document.path)
            if not _is_inside(resolved, inputs):
                what = "leads out of the job's root"
                yield BadRow(Mistake(str(document.path), 0, 0, where, what, _ALLOW), document.id)
            elif complaint := path_complaint(resolved, inputs.trees):
                yield BadRow(Mistake(str(document.path), 0, 0, where, complaint, _ALLOW), document.id)
            elif resolved not in seen and not _is_own(resolved, output):
                seen.add(resolved)
                yield from _read(document, inputs.base)


_ALLOW = "`--allow-path` allows another folder"


def _matches(pattern: str, base: Path) -> list[_Found]:
    """The files that the pattern matches, by id; hidden ones only where the pattern names them."""
    prefix, rest = fixed_prefix(base, pattern)
    takes_hidden = any(part.startswith(".") for part in rest.split("/"))
    found = (_Found(path.relative_to(prefix).as_posix(), path) for path in _glob(prefix, rest))
    return sorted(
        document
        for document in found
        if (takes_hidden or not _is_hidden(document.id)) and not os.path.isdir(document.path)
    )


def _glob(prefix: Path, pattern: str) -> list[Path]:
    path = prefix / pattern
    if os.path.lexists(path):  # a name as it stands; a glob would pass over a link that leads nowhere
        return [path]
    try:
        return list(prefix.glob(pattern))
    except OSError:  # a part of the pattern that is too long for a name
        return []


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _is_own(resolved: Path, output: Path | None) -> bool:
    if output is None or resolved.parent != output.parent:
        return False
    return resolved.name == output.name or resolved.name.startswith(f"{output.name}.")


def _is_inside(resolved: Path, inputs: Inputs) -> bool:
    return any(resolved.is_relative_to(tree) for tree in inputs.trees)


def _read(document: _Found, base: Path) -> Iterator[Read]:
    name = os.fsencode(document.path).decode(errors="replace")
    if not is_unicode(document.id):
        yield BadRow(Mistake(name, 0, 0, "", "a name that is not UTF-8", "rename the document"), name)
        return
    try:
        with open_regular(document.path) as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        yield _bad(document, name, reason(error))
        return
    if len(data) > MAX_BYTES:
        yield _bad(document, name, f"larger than {MAX_BYTES >> 20} MiB", "divide it")
        return
    if (suffix := document.path.suffix.lower()) in MIME_TYPES:
        try:
            yield _row(document, base, text_of(data, suffix), name)
        except FormatError as error:
            yield _bad(document, name, error.what, error.hint)
    elif (found := decoded(data)) is None:
        yield _bad(document, name, NO_TEXT, "save the document as UTF-8")
    else:
        text, encoding = found
        if encoding.guessed:
            yield Note(name, encoding.remark)
        yield _row(document, base, text, name)


def _row(document: _Found, base: Path, text: str, name: str) -> Row:
    path = Path(os.path.relpath(document.path, base)).as_posix()
    variables = {"text": text, "path": path, "name": document.path.name, "stem": document.path.stem}
    return Row(document.id, variables, {"path": path}, name, 0)


def _bad(document: _Found, name: str, what: str, hint: str = "") -> BadRow:
    return BadRow(Mistake(name, 0, 0, "", what, hint), document.id)
