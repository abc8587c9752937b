"""Check a job file's YAML as a stream of events, before anything is built from it.

It rejects what would cost too much time or memory (depth, exponential aliases) or create objects (tags). The
rest can be composed safely.
"""

from __future__ import annotations

from typing import Any

import yaml
from msgspec import Struct

from batch.errors import Diagnostic, JobFileError
from batch.jobfile.syntax.yaml_errors import explained
from batch.jobfile.syntax.yaml_problem import YamlError

MAX_DEPTH = 100
MAX_NODES = 200_000
"""Maximum number of values in a job file, with aliases expanded."""
MAX_CHARACTERS = 64 * 2**20
"""Maximum number of characters in a job file, with aliases expanded."""

CORE_TAGS = frozenset(
    {"!", *(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq"))}
)
_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"
_TOO_DEEP_FOR_LIBYAML = "exceeded maximum nesting depth"
"""The limit of newer libyaml versions, which read ahead before they report the first levels."""
_MOST_REPAIRS = 20
"""Errors in the syntax after which the file is not read on."""


class _Size(Struct):
    """The size of a node with its aliases expanded."""

    anchor: str | None = None
    nodes: int = 1
    characters: int = 0
    height: int = 0

    def take_in(self, child: _Size) -> None:
        self.nodes += child.nodes
        self.characters += child.characters
        self.height = max(self.height, child.height + 1)


def check_events(text: str, path: str) -> tuple[str, list[Diagnostic]]:
    """Return a text that is safe to compose, and the errors in its syntax; after them it is a repaired one.

    Raises ``JobFileError`` if the text is not safe to compose, or cannot be repaired.
    """
    found: list[Diagnostic] = []
    for _ in range(_MOST_REPAIRS):
        guard = _Guard(path)
        try:
            for event in yaml.parse(text, Loader=yaml.CBaseLoader):
                guard.see(event)
        except yaml.YAMLError as error:
            problem = _explained(text, error)
            found.append(Diagnostic(path, problem.line, problem.column, "", problem.what, problem.hint))
            if problem.repaired is None:
                break
            text = problem.repaired
        except _StopParsing as end:
            found += [*guard.diagnostics, end.diagnostic]
            break
        else:
            return text, found + guard.diagnostics
    raise JobFileError(found)


def _explained(text: str, error: yaml.YAMLError) -> YamlError:
    if getattr(error, "problem", None) == _TOO_DEEP_FOR_LIBYAML:
        mark = error.problem_mark  # type: ignore[attr-defined]
        return YamlError(mark.line + 1, mark.column + 1, _TOO_DEEP, "", None)
    return explained(text, error)


class _StopParsing(Exception):  # noqa: N818 - a signal between two functions of this file
    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic


class _Guard:
    """Follows the events with a stack of the open nodes."""

    def __init__(self, path: str) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._path = path
        self._documents = 0
        self._nodes = 0
        self._characters = 0
        self._open: list[_Size] = [_Size()]
        self._anchored: dict[str, _Size] = {}

    def see(self, event: Any) -> None:
        match event:
            case yaml.ScalarEvent():
                self._check_tag(event)
                self._count(1, len(event.value), event.start_mark)
                self._close(_Size(event.anchor, characters=len(event.value)))
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._check_tag(event)
                self._count(1, 0, event.start_mark)
                self._open.append(_Size(event.anchor))
                self._check_depth(len(self._open) - 1, event.start_mark)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._close(self._open.pop())
            case yaml.AliasEvent():
                size = self._aliased(event)
                self._count(size.nodes, size.characters, event.start_mark)
                self._close(size)
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise self._end(event.start_mark, "a second document", "a job file is one document")

    def _aliased(self, event: Any) -> _Size:
        if any(size.anchor == event.anchor for size in self._open):
            raise self._end(event.start_mark, f"the alias `*{event.anchor}` stands inside its own anchor")
        if event.anchor not in self._anchored:
            raise self._end(event.start_mark, f"the alias `*{event.anchor}` has no anchor before it")
        size = self._anchored[event.anchor]
        self._check_depth(len(self._open) - 1 + size.height, event.start_mark)
        return _Size(None, size.nodes, size.characters, size.height)

    def _close(self, size: _Size) -> None:
        self._open[-1].take_in(size)
        if size.anchor is not None:
            self._anchored[size.anchor] = size

    def _count(self, nodes: int, characters: int, mark: Any) -> None:
        self._nodes += nodes
        self._characters += characters
        if self._nodes > MAX_NODES:
            raise self._end(mark, f"more than {MAX_NODES} values", "put rows into a JSONL file")
        if self._characters > MAX_CHARACTERS:
            raise self._end(mark, "aliases that expand to too many values")

    def _check_depth(self, depth: int, mark: Any) -> None:
        if depth > MAX_DEPTH:
            raise self._end(mark, _TOO_DEEP)

    def _check_tag(self, event: Any) -> None:
        if event.tag is not None and event.tag not in CORE_TAGS:
            what = f"the tag {event.tag[:80]!r} is not supported"
            self.diagnostics.append(
                self._diagnostic(event.start_mark, what, "leave it out, or put the text in quotes")
            )

    def _diagnostic(self, mark: Any, what: str, hint: str = "") -> Diagnostic:
        return Diagnostic(self._path, mark.line + 1, mark.column + 1, "", what, hint)

    def _end(self, mark: Any, what: str, hint: str = "") -> _StopParsing:
        return _StopParsing(self._diagnostic(mark, what, hint))
