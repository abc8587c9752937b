"""Draws ``docs/progress.svg`` from a real run on a pseudo-terminal: ``python -m tests.bench.draw_progress``.

It runs the README's job with the embedded model and keeps every screen that the terminal showed.
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import termios
import time
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "progress.svg"
COMMAND = "promptjobs run jobs/summarise.yaml"
COLUMNS = 104
SPEED = 12
"""How many times faster than the run the picture moves."""

MOST_FRAMES = 24
_NOT_A_PERSONS = frozenset({"CI", "NO_COLOR", "FORCE_COLOR"})
"""Variables that change what a terminal is shown, and are set where no person looks at one."""

_FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"
_CELL, _LINE, _MARGIN = 7.8, 20, 16
_TOKEN = re.compile(r"\x1b\[([\d;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)|\x1b.")

Screen = tuple[str, ...]


@dataclass
class Terminal:
    """As much of a terminal as a progress bar needs: lines, a cursor, and the ways to move it."""

    lines: list[str] = field(default_factory=lambda: [""])
    row: int = 0
    column: int = 0

    def write(self, text: str) -> None:
        """Take in what a program has printed. Colours are ignored."""
        for numbers, command, control, plain in _TOKEN.findall(text):
            if plain:
                self._put(plain)
            elif control == "\r":
                self.column = 0
            elif control == "\n":
                self.row += 1
            elif command == "A":
                self.row = max(0, self.row - int(numbers or 1))
            elif command == "K":
                self.lines[self.row] = self.lines[self.row][: self.column]
            self.lines += [""] * (self.row + 1 - len(self.lines))

    @property
    def screen(self) -> Screen:
        """The lines without the blanks at their ends."""
        lines = [line.rstrip() for line in self.lines]
        while lines and not lines[-1]:
            lines.pop()
        return tuple(lines)

    def _put(self, text: str) -> None:
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[: self.column] + text + line[self.column + len(text) :]
        self.column += len(text)


def record(arguments: Sequence[str], folder: Path) -> list[tuple[float, Screen]]:
    """Run a command on a terminal; return each screen with the seconds at which it was there."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, COLUMNS))
    started = time.monotonic()
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_A_PERSONS}
    environment |= {"TERM": "xterm", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(list(arguments), cwd=folder, env=environment, stdout=theirs, stderr=theirs)
    os.close(theirs)
    terminal = Terminal()
    shown: list[tuple[float, Screen]] = [(0.0, ())]
    for data in _chunks(ours):
        terminal.write(data)
        if terminal.screen != shown[-1][1]:
            shown.append((time.monotonic() - started, terminal.screen))
    os.close(ours)
    if process.wait():
        raise RuntimeError("\n".join(terminal.screen))
    return shown


def _chunks(terminal: int) -> Iterator[str]:
    try:
        while data := os.read(terminal, 65536):
            yield data.decode("utf-8", "replace")
    except OSError:  # Linux says EIO where the other side has been closed
        pass


def drawn(shown: Sequence[tuple[float, Screen]], command: str = COMMAND) -> str:
    """The screens as an SVG that plays once and stays on the last one."""
    frames = _thinned(shown)
    height = max(len(screen) for _, screen in frames)
    width = COLUMNS * _CELL + 2 * _MARGIN
    size = f'width="{width:.0f}" height="{(height + 1) * _LINE + 2 * _MARGIN}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-size="13" font-family="{_FONTS}">',
        f"<title>{escape(f'A terminal: {command}')}</title>",
        '<rect width="100%" height="100%" rx="8" fill="#11181c"/>',
        _text(f"$ {command}", 0, "#7fd1b9"),
    ]
    for at, (seconds, screen) in enumerate(frames):
        ends = frames[at + 1][0] if at + 1 < len(frames) else None
        lines = "".join(_text(line, row + 1, "#e6edf3") for row, line in enumerate(screen) if line)
        parts.append(f"<g{_hidden(ends)}>{_played(seconds, ends)}{lines}</g>")
    return "\n".join([*parts, "</svg>\n"])


def _hidden(ends: float | None) -> str:
    """Viewers that play nothing show the last screen alone."""
    return "" if ends is None else ' visibility="hidden"'


def _played(begins: float, ends: float | None) -> str:
    if ends is None:
        return f'<set attributeName="visibility" to="hidden" begin="0s" dur="{begins / SPEED:.2f}s"/>'
    times = f'begin="{begins / SPEED:.2f}s" dur="{(ends - begins) / SPEED:.2f}s"'
    return f'<set attributeName="visibility" to="visible" {times}/>'


def _text(line: str, row: int, colour: str) -> str:
    y = _MARGIN + (row + 0.75) * _LINE
    length = f'textLength="{len(line) * _CELL:.1f}" lengthAdjust="spacingAndGlyphs"'
    return (
        f'<text x="{_MARGIN}" y="{y:.0f}" fill="{colour}" xml:space="preserve" {length}>{escape(line)}</text>'
    )


def _thinned(shown: Sequence[tuple[float, Screen]]) -> list[tuple[float, Screen]]:
    """At most ``MOST_FRAMES`` screens that say something, evenly spaced in time, the last always."""
    last = shown[-1]
    step = last[0] / MOST_FRAMES
    frames: list[tuple[float, Screen]] = []
    for seconds, screen in shown[:-1]:
        if screen and (not frames or seconds - frames[-1][0] >= step):
            frames.append((seconds, screen))
    return [*frames[: MOST_FRAMES - 1], last]


def main() -> None:
    """Run the job in a folder of its own, and write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "jobs", Path(folder) / "jobs")
        command = [sys.executable, "-m", "batch", *COMMAND.split()[1:]]
        PICTURE.write_text(drawn(record(command, Path(folder))), encoding="utf-8")


if __name__ == "__main__":
    main()
