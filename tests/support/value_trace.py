"""Follows a value through the functions of ``batch``, by the profiler: which modules does it pass?"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType, FrameType

    Has = Callable[[object], bool]
    Bound = Callable[[FrameType, str, object], bool]

DEPTH = 3
"""How deep a value is looked for in others."""

SENDING = frozenset({"write", "writelines"})
"""What a transport is called with to send."""


@dataclass(frozen=True)
class Way:
    """What is followed, and the modules of ``batch`` on its way, each list in the order of first entry.

    ``passed`` are those that are given it and pass it on, ``given`` those that are given it only, and
    ``called`` those that are called without it by a function that has it.
    """

    title: str
    meaning: str
    passed: list[str]
    given: list[str]
    called: list[str]

    def without(self, other: Way) -> Way:
        """The same without the modules that the other way has in the same part or an earlier one."""
        return Way(
            self.title,
            self.meaning,
            [name for name in self.passed if name not in other.passed],
            [name for name in self.given if name not in other.passed + other.given],
            [name for name in self.called if name not in other.passed + other.given + other.called],
        )

    def text(self) -> str:
        """The way as a part of the page."""
        numbered = "".join(f"{number}. `{name}`\n" for number, name in enumerate(self.passed, 1))
        parts = [f"### {self.title}\n\n{self.meaning}\n\n{numbered}"]
        if self.given:
            parts.append(f"\nGiven it, without passing it on: {_listed(self.given)}.\n")
        if self.called:
            parts.append(f"\nCalled without it: {_listed(self.called)}.\n")
        return "".join(parts)


class Tracer:
    """Follows a value through the functions of ``batch``: use as a context manager around a run.

    ``has`` says whether a value is the one that is followed, or holds it. ``starts`` and ``ends`` are asked
    at each event of the profiler, and bound what is recorded. If the value is first seen where a function
    returns it, that function is its source: what the source does for the next value is not recorded.
    ``is_over``: the end was seen.
    """

    def __init__(self, has: Has, starts: Bound, ends: Bound) -> None:
        self._has = has
        self._starts = starts
        self._ends = ends
        self._is_on = self.is_over = False
        self._source: CodeType | None = None
        self._is_in_source = False
        self._given: dict[str, None] = {}
        self._passed: set[str] = set()
        self._called: dict[str, None] = {}

    def __enter__(self) -> None:
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def way(self, title: str, meaning: str) -> Way:
        """What has been recorded. Raises ``RuntimeError`` if the way has not been seen to its end."""
        if not self.is_over:
            raise RuntimeError(f"{title}: the end was not seen")
        given = list(self._given)
        return Way(
            title,
            meaning,
            [name for name in given if name in self._passed],
            [name for name in given if name not in self._passed],
            [name for name in self._called if name not in self._given],
        )

    def _profile(self, frame: FrameType, event: str, value: Any) -> None:
        if self.is_over or not (module_of(frame) or frame.f_code.co_name in SENDING):
            return
        if frame.f_code.co_name == "<module>":
            return
        if frame.f_code is self._source and event in {"call", "return"}:
            self._is_in_source = event == "call"
        elif self._is_on and not self._is_in_source:
            self._record(frame, event, value)
        elif not self._is_on and self._starts(frame, event, value):
            self._is_on = True
            if event == "return":
                self._source = frame.f_code
            else:
                self._record(frame, event, value)

    def _record(self, frame: FrameType, event: str, value: Any) -> None:
        if event == "call":
            self._call(frame)
        elif event == "return":
            self._return(frame, value)
        self.is_over = self._ends(frame, event, value)

    def _call(self, frame: FrameType) -> None:
        name, caller = module_of(frame), caller_of(frame)
        by = module_of(caller)
        if name == by:
            by = ""
        if self._has(dict(frame.f_locals)):
            if by and (name or frame.f_code.co_name in SENDING):
                self._given[by] = None
                self._passed.add(by)
            if name:
                self._given[name] = None
        elif name and by and caller is not None and self._has(dict(caller.f_locals)):
            self._called[name] = None

    def _return(self, frame: FrameType, value: object) -> None:
        name, by = module_of(frame), module_of(caller_of(frame))
        if name and self._has(value):
            self._given[name] = None
            if by and by != name:
                self._passed.add(name)
                self._given[by] = None
        elif name and self._has(dict(frame.f_locals)):
            self._given[name] = None


def module_of(frame: FrameType | None) -> str:
    """The module of ``batch`` that a frame belongs to, without the package; empty for any other."""
    name = "" if frame is None else str(frame.f_globals.get("__name__", ""))
    return name.removeprefix("batch.") if name.startswith("batch.") else ""


def caller_of(frame: FrameType) -> FrameType | None:
    """The frame of ``batch`` that a frame was called from, by way of other packages or not."""
    caller = frame.f_back
    while caller is not None and not module_of(caller):
        caller = caller.f_back
    return caller


def holds(value: object, is_it: Has, is_closed: Has = lambda _: False, depth: int = DEPTH) -> bool:
    """Whether a value is it, or a collection or record with it; nothing ``is_closed`` is looked into."""
    if is_it(value):
        return True
    if not depth or is_closed(value):
        return False
    return any(holds(part, is_it, is_closed, depth - 1) for part in _parts(value))


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if isinstance(value, msgspec.Struct):
        return [getattr(value, name, None) for name in value.__struct_fields__]
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name, None) for field in fields(value)]
    return ()


def is_text(value: object, text: str) -> bool:
    """Whether a value is text or bytes with that text in it."""
    if isinstance(value, str):
        return text in value
    return isinstance(value, bytes | bytearray) and text.encode() in value


# Bounds of a trace


def always(frame: FrameType, event: str, value: object) -> bool:
    """From the beginning of the run."""
    return True


class Handled:
    """The end of the outermost call of ``batch`` in which the value turns up first."""

    def __init__(self, has: Has) -> None:
        self._has = has
        self._outermost: FrameType | None = None

    def __call__(self, frame: FrameType, event: str, value: object) -> bool:
        if self._outermost is None and module_of(frame) and self._has(dict(frame.f_locals)):
            self._outermost = each = frame
            while (caller := caller_of(each)) is not None:
                self._outermost = each = caller
        return event == "return" and frame is self._outermost


class Sent:
    """The call that sends the value."""

    def __init__(self, has: Has) -> None:
        self._has = has

    def __call__(self, frame: FrameType, event: str, value: object) -> bool:
        return event == "call" and frame.f_code.co_name in SENDING and self._has(dict(frame.f_locals))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
