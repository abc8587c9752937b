"""The columns that an export can have, and which of them it has.

Besides the columns of results, each field of four groups is one: ``input.title``, ``matrix.mood``,
``metadata.label``, ``parsed.score``. A value that is no object has only the column of its group.
"""

from __future__ import annotations

import csv
import io
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from batch.codec import well_formed
from batch.diagnostics import closest, shown
from batch.errors import UsageError
from batch.results.export.column_kinds import Kind, UnfitValueError, cell
from batch.results.export.fields import MAX_FIELDS, Fields
from batch.results.export.protocol import Answer, Column
from batch.results.export.result_columns import result_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from batch.records import JSONObject

INPUT, MATRIX, METADATA, PARSED = "input", "matrix", "metadata", "parsed"

DEFAULT, ALL = "default", "all"
"""Names for several columns."""

_HEAD = ("id", "status")
_ASKED = ("prompt", "text")
_TAIL = ("verdict", "model", "prompt_tokens", "completion_tokens", "cost", "currency")
_ERRORS = ("error_code", "error_message")
_MOST_LISTED = 60


class KnownFields:
    """The fields of each group, declared by the job or seen in its inputs and results."""

    def __init__(self) -> None:
        self.of = {group: Fields() for group in (MATRIX, INPUT, METADATA, PARSED)}

    def see_metadata(self, metadata: JSONObject) -> None:
        """Add the metadata of a request. The variables of a matrix are a group of their own."""
        matrix = metadata.get(MATRIX)
        if isinstance(matrix, dict):
            self.of[MATRIX].see(matrix)
            metadata = {name: value for name, value in metadata.items() if name != MATRIX}
        self.of[METADATA].see(metadata)


class Columns:
    """All columns of an export. ``failed``: failed results are exported, too."""

    def __init__(self, fields: KnownFields, currency: str | None = None, *, failed: bool = False) -> None:
        self._fields = fields.of
        self._failed = failed
        self._groups = {group: list(_columns(group, found.kinds)) for group, found in fields.of.items()}
        everything = [*result_columns(currency), *(each for group in self._groups.values() for each in group)]
        self._by_name = {column.name: column for column in everything}

    @property
    def names(self) -> list[str]:
        """All names: the default columns first."""
        return list(dict.fromkeys([*self._default(), *self._by_name]))

    def chosen(self, names: str = DEFAULT) -> tuple[Column, ...]:
        """Return the columns with these names, in their order.

        The names are separated by commas; one with a comma is in double quotes. ``default``, ``all`` and
        patterns (``parsed.*``) stand for several. Raises ``UsageError`` for a name that no column has.
        """
        found = [name for each in _written(names) for name in self._expanded(each)]
        return tuple(self._by_name[name] for name in dict.fromkeys(found))

    def _expanded(self, name: str) -> Sequence[str]:
        if name in self._by_name:
            return [name]
        found = []
        if name in (DEFAULT, ALL):
            found = self._default() if name == DEFAULT else self.names
        elif "*" in name:
            found = [each for each in self.names if fnmatchcase(each, name)]
        if not found:
            raise UsageError(_unknown(name, self.names))
        self._check_complete(found)
        return found

    def _default(self) -> list[str]:
        inputs = {column.name.removeprefix(f"{INPUT}.") for column in self._groups[INPUT]}
        of_group = {group: [column.name for column in found] for group, found in self._groups.items()}
        of_group[METADATA] = [
            name for name in of_group[METADATA] if name.removeprefix(f"{METADATA}.") not in inputs
        ]
        return [
            *_HEAD,
            *of_group[MATRIX],
            *of_group[INPUT],
            *of_group[METADATA],
            *_ASKED,
            *([PARSED] if self._fields[PARSED].is_mixed else []),
            *of_group[PARSED],
            *_TAIL,
            *(_ERRORS if self._failed else ()),
        ]

    def _check_complete(self, names: Iterable[str]) -> None:
        for group in dict.fromkeys(name.partition(".")[0] for name in names if "." in name):
            if group in self._fields and self._fields[group].left_out:
                raise UsageError(
                    f"{group} has more than {MAX_FIELDS} fields, too many for columns; "
                    "name the columns that you need with --columns"
                )


def _written(names: str) -> list[str]:
    """Return the names of a list that is written as one or several lines of CSV."""
    try:
        lines = csv.reader(io.StringIO(names, newline=""), skipinitialspace=True)
        return [name.strip() for line in lines for name in line] or [""]
    except csv.Error as error:
        raise UsageError(f"--columns is no list of names: {error}") from None


def _columns(group: str, kinds: dict[str, Kind]) -> Iterator[Column]:
    for name, kind in kinds.items():
        yield Column(f"{group}.{well_formed(name)}", kind, _getter(group, name, kind))


def _getter(group: str, field: str, kind: Kind) -> Callable[[Answer], Any]:
    values = _VALUES[group]

    def get(answer: Answer) -> Any:
        found = values(answer)
        try:
            return cell(found.get(field), kind) if isinstance(found, dict) else None
        except UnfitValueError:
            raise UsageError(
                f"a table cannot hold a value of {shown(f'{group}.{field}')}; leave this column out with "
                "--columns, or export again if the inputs have changed meanwhile"
            ) from None

    return get


_VALUES: dict[str, Callable[[Answer], Any]] = {
    INPUT: lambda answer: answer.inputs,
    MATRIX: lambda answer: answer.result.metadata.get(MATRIX),
    METADATA: lambda answer: answer.result.metadata,
    PARSED: lambda answer: answer.result.parsed,
}


def _unknown(name: str, names: Sequence[str]) -> str:
    meant = _meant(name, names)
    hint = f"; did you mean `{shown(meant)}`?" if meant else ""
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    there = ", ".join(map(shown, names[:_MOST_LISTED]))
    return f"unknown column {shown(name)}{hint}\nknown: default, all, {there}{more}"


def _meant(name: str, names: Sequence[str]) -> str | None:
    """Return the column with this field in any group, or else the one with the most similar name."""
    by_field = {each.partition(".")[2]: each for each in reversed(names) if "." in each}
    found = by_field.get(name) or closest(name, names)
    return found or by_field.get(closest(name, by_field) or "")
