"""A short soak. The long one: ``python -m tests.system.soak --requests 200000``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.system.soak import judged, quarters_of, soak
from tests.system.soak_answers import is_right, pieces
from tests.system.soak_server import KINDS

if TYPE_CHECKING:
    from pathlib import Path

REQUESTS = 3000


def test_every_answer_is_right_despite_faults(tmp_path: Path) -> None:
    soaked = soak(tmp_path, REQUESTS)
    assert soaked.wrong == []
    assert soaked.server["faults"].keys() == set(KINDS)
    assert sum(soaked.server["faults"].values()) > 100
    assert soaked.server["requests"] > REQUESTS
    rows = {f"row-{number}": f"prompt {number}" for number in range(REQUESTS)}
    output = tmp_path / "output" / "job.jsonl"
    assert judged(output, rows) == []

    # The judge itself: a line twice, one lost, one with another's answer
    first, second, *others = output.read_bytes().splitlines(keepends=True)
    output.write_bytes(b"".join([first, first, *others]))
    assert len(judged(output, rows)) == 2
    output.write_bytes(b"".join([first, second.replace(b" #", b"  #"), *others]))
    assert len(judged(output, rows)) == 1


def test_an_answer_identifies_its_prompt() -> None:
    text = "".join(pieces("prompt 7"))
    assert is_right("prompt 7", text)
    assert not is_right("prompt 77", text)
    assert not is_right("prompt 7", text[1:])
    assert not is_right("prompt 7", text + " ")
    assert not is_right("prompt 7", None)


def test_the_most_of_each_quarter() -> None:
    assert quarters_of([1, 5, 2, 2, 9, 3, 4, 4]) == [5, 2, 9, 4]
    assert quarters_of([]) == [0, 0, 0, 0]
