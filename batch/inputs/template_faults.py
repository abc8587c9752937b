"""Errors of a template as it is filled: what fails, and where in the template.

A misspelt variable fails in every row. So each error is located once, and counted for the rows that have it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from jinja2 import UndefinedError

from batch.diagnostics import diagnostic_at, did_you_mean, shown
from batch.errors import Diagnostic
from batch.jobfile.nulls import EmptyValueError, UnprintableError
from batch.jobfile.template_places import offset_of_line, offset_of_name, place_in, tags
from batch.jobfile.templates import FAILURES, environment, names_in

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from batch.diagnostics import DiagnosticList
    from batch.inputs.images import ImageError
    from batch.jobfile import Prompt

_UNDEFINED = re.compile(r"'(.*)' is undefined\Z", re.DOTALL)
_NO_KEY = re.compile(r"'.*' has no (?:attribute|element) '?(.*?)'?\Z", re.DOTALL)
_ARITHMETIC = re.compile(
    r"unsupported operand|can't multiply sequence|not supported between|can only concatenate"
)
_COLUMN = re.compile(r"`(.*)`\Z", re.DOTALL)
_MOST_LISTED = 8


@dataclass(frozen=True, slots=True)
class RowDiagnostic(Diagnostic):
    """An error in filling a row that is the template's. ``at`` are the errors at their places in it."""

    at: tuple[Diagnostic, ...] = ()


def located(diagnostic: Diagnostic, at: tuple[Diagnostic, ...]) -> RowDiagnostic:
    """Return the error of a row with those in the template that have caused it."""
    place = (diagnostic.path, diagnostic.line, diagnostic.column)
    return RowDiagnostic(*place, diagnostic.where, diagnostic.what, diagnostic.hint, at=at)


def missing(name: str, known: Collection[str]) -> tuple[str, str]:
    """Return the error of a variable that a prompt does not have, and a hint."""
    names = sorted(each for each in known if each.isidentifier())
    listed = ", ".join(names[:_MOST_LISTED]) + (", …" if len(names) > _MOST_LISTED else "")
    hint = did_you_mean(name, names) or (f"it has {listed}" if names else "the job has no inputs")
    return f"no variable `{shown(name)}` for the prompt", hint


class TemplateFaults:
    """Locates the errors of one prompt."""

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt
        self._texts = list(prompt.texts())
        self._required = [names_in(text)[1] for text, _, _ in self._texts]
        self._located: dict[tuple[int, type, str], Diagnostic] = {}
        self._unknown: dict[frozenset[str], tuple[Diagnostic, ...]] = {}

    def of(self, index: int, error: Exception, variables: Mapping[str, Any]) -> tuple[Diagnostic, ...]:
        """Return an error in a text at its place; for a missing variable, all that the prompt misses."""
        is_undefined = isinstance(error, UndefinedError) and _UNDEFINED.match(error.message or "")
        if is_undefined and (found := self.unknown(variables)):
            return found
        key = (index, type(error), str(error))
        if key not in self._located:
            self._located[key] = self._locate(index, error, variables)
        return (self._located[key],)

    def _locate(self, index: int, error: Exception, variables: Mapping[str, Any]) -> Diagnostic:
        what, hint, name = _described(error)
        text, where, place = self._texts[index]
        if name:
            if isinstance(error, UndefinedError):
                hint = hint or _key_hint(name, variables)
        elif (tag := _failing_tag(text, error, variables)) is not None:
            if _ARITHMETIC.search(what) and not re.search(r"\|\s*(?:float|int)\b", tag[1]):
                hint = _number_hint(tag[1], variables)
            found = place_in(place, text, tag[0])
            return diagnostic_at(found, where, what, hint)
        return self._at(index, what, hint, name, _line_of(error))

    def unknown(self, variables: Collection[str]) -> tuple[Diagnostic, ...]:
        """Return an error for each variable that the prompt requires and does not have."""
        known = frozenset(variables)
        if known not in self._unknown:
            self._unknown[known] = tuple(
                self._at(index, *missing(name, known), name)
                for index, required in enumerate(self._required)
                for name in sorted(required - known)
            )
        return self._unknown[known]

    def blank(self, hint: str) -> tuple[Diagnostic, ...]:
        """Return the error of a prompt that is blank."""
        prompt = self._prompt
        place = next((place for _, where, place in self._texts if where == prompt.where), self._texts[0][2])
        return (diagnostic_at(place, prompt.where, "the prompt is blank", hint),)

    def image(self, error: ImageError) -> tuple[Diagnostic, ...]:
        """Return the error of an image that the job file names."""
        _, where, place = self._texts[len(self._prompt.messages) + error.index]
        return (diagnostic_at(place, where, error.what, error.hint),)

    def _at(self, index: int, what: str, hint: str, name: str = "", line: int = 1) -> Diagnostic:
        text, where, place = self._texts[index]
        offset = offset_of_name(text, name) if name else None
        found = place_in(place, text, offset_of_line(text, line) if offset is None else offset)
        return diagnostic_at(found, where, what, hint)


def _described(error: Exception) -> tuple[str, str, str]:
    """Return the error, a hint, and the name that is to blame; the last two may be empty."""
    if isinstance(error, EmptyValueError):
        column = _COLUMN.match(error.column)
        return str(error), error.hint, column[1] if column else ""
    if isinstance(error, UnprintableError):
        return str(error), error.hint, ""
    if isinstance(error, RecursionError | MemoryError):
        return f"the template fails: {type(error).__name__}", "", ""
    message = getattr(error, "message", None) or str(error)
    if isinstance(error, UndefinedError) and (match := _UNDEFINED.match(message)):
        return f"no variable `{shown(match[1])}` for the prompt", "", match[1]
    if isinstance(error, UndefinedError) and (match := _NO_KEY.match(message)):
        return f"a value has no `{shown(match[1])}`", "", match[1]
    return f"the template fails: {shown(message)}", "", ""


def _failing_tag(text: str, error: Exception, variables: Mapping[str, Any]) -> tuple[int, str] | None:
    """Return the expression that fails in the same way by itself; ``None`` if that is none."""
    for start, tag in tags(text):
        try:
            environment().from_string(tag).render(variables)
        except (*FAILURES, SyntaxError) as failure:  # a part of a template need not be one
            if isinstance(failure, type(error)) and str(failure) == str(error):
                return start, tag
    return None


def _number_hint(expression: str, variables: Mapping[str, Any]) -> str:
    """Return a hint to convert the first variable of an expression that is a text; empty without one."""
    used = sorted(names_in(expression)[0])
    return next((f"write `({each} | float)`" for each in used if isinstance(variables.get(each), str)), "")


def _key_hint(name: str, variables: Mapping[str, Any]) -> str:
    """Return a hint with a key like ``name`` of a variable that is a mapping."""
    keys = {
        key
        for value in variables.values()
        if isinstance(value, dict)
        for key in value
        if isinstance(key, str)
    }
    return did_you_mean(name, keys)


def _line_of(error: Exception) -> int:
    """Return the line of the template on which an error was raised; 1 if unknown."""
    line, frame = 1, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == "<template>":
            line = frame.tb_lineno
        frame = frame.tb_next
    return line


class CountedFaults:
    """Counts for each error of a template the rows that have it. Rows are counted in their order."""

    def __init__(self, unit: str | None) -> None:
        """``unit`` is what the rows are: ``row`` or ``document``; ``None`` without inputs."""
        self._unit = unit
        self._rows = 0
        self._last: tuple[str, int] | None = None
        self._counts: dict[Diagnostic, int] = {}
        self._first: dict[Diagnostic, tuple[str, int]] = {}
        self._seen: dict[Diagnostic, int] = {}

    def row(self, path: str, line: int) -> None:
        """Count the row at this place, unless it was the last one."""
        if (path, line) != self._last:
            self._last = path, line
            self._rows += 1

    def take(self, diagnostic: Diagnostic, others: DiagnosticList) -> None:
        """Count the row of an error; add the error to ``others`` unless the template is to blame."""
        if not isinstance(diagnostic, RowDiagnostic):
            others.append(diagnostic)
            return
        self.row(diagnostic.path, diagnostic.line)
        for each in diagnostic.at:
            if self._seen.get(each) != self._rows:
                self._seen[each] = self._rows
                self._counts[each] = self._counts.get(each, 0) + 1
                self._first.setdefault(each, (diagnostic.path, diagnostic.line))

    def diagnostics(self) -> list[Diagnostic]:
        """Return one error for each, with the number of its rows."""
        return [self._with_count(each, number) for each, number in self._counts.items()]

    def _with_count(self, diagnostic: Diagnostic, number: int) -> Diagnostic:
        if self._unit is None:
            return diagnostic
        if number == self._rows:
            where = f"in all {number} {self._unit}s" if number > 1 else f"in the only {self._unit}"
        else:
            path, line = self._first[diagnostic]
            first = f"{PurePath(path).name}:{line}" if line else PurePath(path).name
            where = f"in {number} of {self._rows} {self._unit}s, first in {first}"
        return replace(diagnostic, what=f"{diagnostic.what}, {where}")
