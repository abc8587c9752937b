"""Find files and folders that match a glob pattern, through symbolic links and without cycles."""

from __future__ import annotations

import os
import re
from fnmatch import translate
from functools import cache
from glob import has_magic
from typing import TYPE_CHECKING
from unicodedata import normalize

from batch.jobfile.paths import real

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_CASE = re.IGNORECASE if os.name == "nt" else 0


class Walker:
    """Finds what matches patterns. ``holds`` returns whether a resolved folder may be entered.

    ``follow``: whether wildcards match links and what is behind them. ``hidden``: whether they match names
    that begin with a dot. Links to folders that may not be entered are collected in ``outside``.
    """

    def __init__(self, holds: Callable[[Path], bool], *, follow: bool = True, hidden: bool = False) -> None:
        self.outside: list[Path] = []
        self._holds = holds
        self._follow = follow
        self._hidden = hidden

    def find(self, folder: Path, pattern: str) -> set[Path]:
        """Return all files, folders and links below ``folder`` that match ``pattern`` (with ``/``)."""
        return set(self._find(folder, pattern.split("/"), (real(folder),)))

    def _find(self, folder: Path, parts: Sequence[str], chain: tuple[Path, ...]) -> Iterator[Path]:
        """``chain`` are the resolved folders from the first one down to ``folder``."""
        if not parts:
            yield folder
            return
        head, rest = parts[0], parts[1:]
        if head == "**":
            yield from self._find(folder, rest, chain)
            for entry in self._entries(folder):
                if (below := self._entered(entry, chain)) is not None:
                    yield from self._find(entry, parts, below)
            return
        for entry in self._named(folder, head):
            if not rest:
                yield entry
            elif (below := self._entered(entry, chain)) is not None:
                yield from self._find(entry, rest, below)

    def _named(self, folder: Path, name: str) -> list[Path]:
        """Return the entries of a folder that one part of a pattern matches, in any Unicode normalization."""
        if not has_magic(name):
            if os.path.lexists(folder / name):
                return [folder / name]
            if name.isascii():
                return []
            return [entry for entry in self._entries(folder) if _composed(entry.name) == _composed(name)]
        matches, composed = _matcher(name), _matcher(_composed(name))
        entries = self._entries(folder)
        return [entry for entry in entries if matches(entry.name) or composed(_composed(entry.name))]

    def _entries(self, folder: Path) -> list[Path]:
        try:
            with os.scandir(folder) as found:
                names = [
                    entry.name
                    for entry in found
                    if (self._hidden or not entry.name.startswith("."))
                    and (self._follow or not entry.is_symlink())
                ]
        except OSError:  # not a folder, or not readable
            return []
        return [folder / name for name in sorted(names)]

    def _entered(self, path: Path, chain: tuple[Path, ...]) -> tuple[Path, ...] | None:
        """Return the chain below a folder; ``None`` for a non-folder, a cycle, or a link outside."""
        if not os.path.isdir(path):
            return None
        resolved = real(path) if os.path.islink(path) else chain[-1] / path.name
        if resolved in chain:
            return None
        if not self._holds(resolved):
            self.outside.append(path)
            return None
        return (*chain, resolved)


def could_match(path: Path, base: Path, pattern: str) -> bool:
    """Return whether a file at the absolute ``path`` would match a pattern that is relative to ``base``."""
    return _fits(path.parts, (base / pattern).parts)


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_fits(parts[skipped:], pattern[1:]) for skipped in range(len(parts) + 1))
    return bool(parts and _matcher(pattern[0])(parts[0])) and _fits(parts[1:], pattern[1:])


def _composed(name: str) -> str:
    return name if name.isascii() else normalize("NFC", name)


@cache
def _matcher(pattern: str) -> Callable[[str], object]:
    return re.compile(translate(pattern), _CASE).match
