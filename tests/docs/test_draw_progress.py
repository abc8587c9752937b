"""The picture of the progress bar is what a terminal shows, and safe to look at."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.bench.draw_progress import COMMAND, MOST_FRAMES, PICTURE, Terminal, drawn, record

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"

WRITTEN = [
    ("one\r\ntwo", ("one", "two")),
    ("  0%\r 50%\r100%", ("100%",)),
    ("longer\rshort", ("shortr",)),
    ("longer\rshort\x1b[K", ("short",)),
    ("one\r\ntwo\x1b[A\rONE", ("ONE", "two")),
    ("\x1b[31mred\x1b[0m", ("red",)),
    ("a\r\n\r\n", ("a",)),
]


@pytest.mark.parametrize(("text", "screen"), WRITTEN)
def test_the_terminal_shows_what_a_real_one_would(text: str, screen: tuple[str, ...]) -> None:
    terminal = Terminal()
    terminal.write(text)
    assert terminal.screen == screen


def test_a_run_is_recorded_and_drawn_also_on_a_build_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    shutil.copytree(ROOT / "jobs", tmp_path / "jobs")
    command = [*COMMAND.split()[1:], "--set", "engine=extractive"]
    shown = record([sys.executable, "-m", "batch", *command], tmp_path)
    last = frames(drawn(shown))[-1]
    assert last[0].startswith("100%|█")
    assert last[1].startswith("summaries: 10 succeeded of 10; 10 sent in ")


def test_what_the_terminal_shows_is_escaped() -> None:
    text = drawn([(0.0, ()), (1.0, ("<script>&",))], command="a & b")
    assert frames(text) == [["<script>&"]]
    assert "<script>" not in text


def test_the_committed_picture_ends_with_a_whole_run_and_needs_nothing_else() -> None:
    text = PICTURE.read_text(encoding="utf-8")
    shown = frames(text)
    assert 5 < len(shown) <= MOST_FRAMES
    assert "10/10" in shown[-1][0]
    assert "10 succeeded of 10" in shown[-1][1]
    tags = {element.tag.removeprefix(SVG) for element in ET.fromstring(text).iter()}
    assert tags == {"svg", "title", "rect", "text", "g", "set"}
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")


def frames(text: str) -> list[list[str]]:
    """The lines of each frame; only the last one is there for viewers that play nothing."""
    groups = ET.fromstring(text).findall(f"{SVG}g")
    assert [group.get("visibility") for group in groups] == ["hidden"] * (len(groups) - 1) + [None]
    return [[line.text or "" for line in group.findall(f"{SVG}text")] for group in groups]
