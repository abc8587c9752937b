"""Lines that are drawn over themselves, unless the terminal has changed or others have written to it."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from batch.cli.screen import Screen

if TYPE_CHECKING:
    import pytest


class Stream(io.StringIO):
    """A stream that runs a signal handler in the middle of a write."""

    encoding = "utf-8"

    def __init__(self) -> None:
        super().__init__()
        self.screen: Screen | None = None

    def write(self, text: str) -> int:
        if self.screen is not None:
            self.screen.forget()
        return super().write(text)


def test_lines_are_drawn_over_the_previous_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream()
    monkeypatch.setattr(sys, "stdout", stream)
    screen = Screen(stream)
    screen.draw(["a", "b"])
    screen.draw(["c"])
    screen.draw([])
    assert stream.getvalue() == "a\x1b[K\nb\x1b[K\n\x1b[J\x1b[2Ac\x1b[K\n\x1b[J\x1b[1A\x1b[J"


def test_a_signal_during_a_draw_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream()
    monkeypatch.setattr(sys, "stdout", stream)
    screen = stream.screen = Screen(stream)
    screen.draw(["a"])
    screen.draw(["b"])
    assert stream.getvalue() == "a\x1b[K\n\x1b[Jb\x1b[K\n\x1b[J"
