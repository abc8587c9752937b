"""``inputs.results``: the answers of another job, one row per success, or one per group of them.

A row has the variables ``id``, ``text``, ``parsed``, ``model`` and ``metadata``, and each field of the
metadata by its own name. With ``group_by`` a row has the fields that the group shares and ``items``, the
group's results with those variables, in the natural order of their ids (2 before 10).

Only successes are rows. Without groups, a notice counts the omitted failures. An incomplete group is an
invalid row, since its answer would silently omit a part: one with a failed result, or with fewer chunks than
its document was split into.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, BinaryIO

from msgspec import Struct

from batch.codec import decode_result
from batch.diagnostics import did_you_mean, shown
from batch.errors import Diagnostic
from batch.files import open_regular, reason
from batch.inputs.identity import part
from batch.inputs.readers.row import BadRow, Note, Row, bad_row
from batch.records import JSONObject  # noqa: TC001 - msgspec reads it

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from batch.inputs.readers.row import Read
    from batch.jobfile import Inputs
    from batch.records import Result

NAME = "results"
ENDINGS = (".jsonl",)
HAS_HEADER = False

MAX_LINE = 128 * 2**20
"""The maximum length of a result line."""


class Entry(Struct, frozen=True, gc=False):
    """One result, without its text. ``code`` is the error's, ``None`` for a success."""

    offset: int
    line: int
    code: str | None
    metadata: JSONObject
    completed_at: str


def entries(file: BinaryIO, name: str) -> tuple[dict[str, Entry], list[BadRow]]:
    """Return the latest result of each id, in the order of the file, and the lines that are not results."""
    found: dict[str, Entry] = {}
    bad: list[BadRow] = []
    for line, offset, data in _lines(file):
        try:
            result = decode_result(data)
        except ValueError:
            hint = "`inputs.results` reads the output of another job"
            bad.append(bad_row(name, line, "not a result", hint))
            continue
        found.pop(result.id, None)
        code = None if result.error is None else result.error.code
        found[result.id] = Entry(offset, line, code, result.metadata, result.completed_at)
    return found, bad


def result_at(file: BinaryIO, offset: int) -> Result:
    """Return the result whose line begins at ``offset``. Raises ``ValueError`` if the file has changed."""
    file.seek(offset)
    return decode_result(file.readline(MAX_LINE))


def _lines(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    number = offset = 0
    while data := file.readline(MAX_LINE):
        number += 1
        if not data.isspace():
            yield number, offset, data
        offset += len(data)


_HINT = "`run` or `retry` the job that writes it"
_ABSENT = object()
_NUMBER = re.compile(r"([0-9]+)")


def rows(path: Path, inputs: Inputs, *, may_be_empty: bool) -> Iterator[Read]:
    """Yield the rows of a result file. Each result takes a few hundred bytes of memory, without its text."""
    name = str(path)
    try:
        with open_regular(path) as file:
            found, bad = entries(file, name)
            yield from bad
            if not found and not bad and not may_be_empty:
                yield Diagnostic(name, 0, 0, "", "has no results", "run the job that writes it first")
            elif inputs.group_by:
                yield from _groups(file, name, found, inputs.group_by)
            else:
                yield from _rows(file, name, found)
    except OSError as error:
        hint = "run the job that writes it first" if isinstance(error, FileNotFoundError) else ""
        yield Diagnostic(name, 0, 0, "", reason(error), hint)
    except ValueError:
        yield Diagnostic(name, 0, 0, "", "has changed while it was read", "is another run writing it?")


def variables_of(result: Result) -> dict[str, Any]:
    """Return the variables of a result for a prompt."""
    return {
        **result.metadata,
        "id": result.id,
        "text": result.text or "",
        "parsed": result.parsed,
        "model": result.model,
        "metadata": result.metadata,
    }


def natural(text: str) -> tuple[str | tuple[int, str], ...]:
    """Return a key for natural sorting, with numbers by their value."""
    return tuple(_value(piece) if index % 2 else piece for index, piece in enumerate(_NUMBER.split(text)))


def _value(digits: str) -> tuple[int, str]:
    """Return a key that sorts like the number. Python limits the digits of an ``int``."""
    significant = digits.lstrip("0")
    return len(significant), significant


def _rows(file: BinaryIO, name: str, found: Mapping[str, Entry]) -> Iterator[Read]:
    failed = sum(entry.code is not None for entry in found.values())
    if failed:
        yield Note(name, f"has {failed} failed results, which are left out; {_HINT}")
    for entry in found.values():
        if entry.code is None:
            result = result_at(file, entry.offset)
            yield Row(result.id, variables_of(result), result.metadata, name, entry.line)


def _groups(file: BinaryIO, name: str, found: Mapping[str, Entry], group_by: Sequence[str]) -> Iterator[Read]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for request_id, entry in found.items():
        values = [_field(entry.metadata, field) for field in group_by]
        if _ABSENT in values:
            yield _ungrouped(name, entry, group_by[values.index(_ABSENT)])
        else:
            groups.setdefault(tuple(map(part, values)), []).append(request_id)
    for parts in sorted(groups, key=lambda parts: natural("/".join(parts))):
        group = "/".join(parts)
        ids = sorted(groups[parts], key=natural)
        members = {request_id: found[request_id] for request_id in ids}
        first = next(iter(members.values()))
        if (what := _incomplete(members)) is not None:
            yield BadRow(Diagnostic(name, first.line, 1, "", f"{shown(group)}: {what}", _HINT), group)
            continue
        shared = {field.rpartition(".")[2]: _field(first.metadata, field) for field in group_by}
        items = [variables_of(result_at(file, entry.offset)) for entry in members.values()]
        yield Row(group, {**shared, "id": group, "items": items}, shared, name, first.line)


def _field(metadata: JSONObject, name: str) -> Any:
    """Return the metadata field with that name or dotted path (``matrix.tone``)."""
    value: Any = metadata
    for step in [name] if name in metadata else name.split("."):
        if not isinstance(value, dict) or step not in value:
            return _ABSENT
        value = value[step]
    return value


def _ungrouped(name: str, entry: Entry, field: str) -> BadRow:
    known = list(entry.metadata)
    hint = did_you_mean(field, known) or (f"it has {', '.join(map(shown, known[:20]))}" if known else "")
    return bad_row(name, entry.line, f"no `{shown(field)}` in its metadata to group by", hint)


def _incomplete(members: Mapping[str, Entry]) -> str | None:
    """Return what a group lacks, if anything."""
    failed = [(request_id, entry.code) for request_id, entry in members.items() if entry.code is not None]
    if failed:
        more = f" and {len(failed) - 1} more have failed" if len(failed) > 1 else " has failed"
        return f"{shown(failed[0][0])} ({failed[0][1]}){more}"
    for source, parts in _sources(members.values()).items():
        if (what := _missing_parts(parts)) is not None:
            return what if len(parts) == len(members) else f"{shown(source)}: {what}"
    return None


def _sources(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Group the results by their source: a group may hold several documents, or rows."""
    sources: dict[str, list[Entry]] = {}
    for entry in entries:
        sources.setdefault(str(entry.metadata.get("path", entry.metadata.get("row"))), []).append(entry)
    return sources


def _missing_parts(parts: Sequence[Entry]) -> str | None:
    """Return what is missing of a split text.

    The latest result knows the current number of chunks. Chunks that an edit did not change are not sent
    again, and still state the earlier number.
    """
    counts = [_whole(entry.metadata.get("chunks")) for entry in parts]
    seen = Counter(_whole(entry.metadata.get("chunk")) for entry in parts)
    latest = max(range(len(parts)), key=lambda at: (parts[at].completed_at, parts[at].line))
    count = counts[latest]
    if not any(counts):
        return None
    if count is None or None in counts or any(number is not None and number > count for number in seen):
        return "chunks of different splits; `--prune` removes old ones"
    most = max(seen.values())
    missing = next((number for number in range(1, count + 1) if seen[number] < most), None)
    return None if missing is None else f"no result for chunk {missing} of {count}"


def _whole(value: object) -> int | None:
    """Return a whole number; ``None`` for another value under the same name in a row of another job."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
