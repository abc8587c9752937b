"""The measurement of several processes measures what it says; its figures are in ``docs/scaling.md``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.bench.measure import WrongTextError
from tests.bench.measure_processes import Figures, median, run, table
from tests.bench.replies import Served
from tests.support.chat_server import ChatServer
from tests.support.cli_support import served

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no --processes")

ANSWER = Served(b"", "always the same", 2)


def test_the_driver_and_its_workers_are_measured_apart(tmp_path: Path) -> None:
    server = ChatServer()
    server.answer = lambda _: ANSWER.text
    with served(server):
        one = run(tmp_path / "one", server.url, ANSWER, 4, 1)
        two = run(tmp_path / "two", server.url, ANSWER, 4, 2)
        assert server.answered == 8
        server.answer = str.upper
        with pytest.raises(WrongTextError, match="4 of 4 results are not what was served"):
            run(tmp_path / "wrong", server.url, ANSWER, 4, 1)
    assert one.driver > one.workers, "a run starts a small process that watches it"
    assert two.driver > 0
    assert two.workers > 2 * one.workers


def test_the_table_has_the_median_of_each_figure() -> None:
    found = {(8, 2): median([Figures(30, 100, 5), Figures(10, 300, 7), Figures(20, 200, 6)])}
    assert table(found | {(8, 1): Figures(99.6, 0, 1000)}).splitlines()[2:] == [
        "| 8 events | 2 | 20 | 200 | 6 |",
        "| 8 events | 1 | 100 |  | 1000 |",
    ]
