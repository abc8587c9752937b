"""The scripts of the gate fit together."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GATE = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
EXTENDED = (ROOT / ".ci" / "extended").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["run", "extended"])
def test_the_script_is_bash(name: str) -> None:
    script = ROOT / ".ci" / name
    assert script.stat().st_mode & 0o100
    checked = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_every_heavy_step_is_run() -> None:
    (listed,) = re.findall(r"^STEPS=\((.*)\)$", EXTENDED, re.MULTILINE)
    assert sorted(listed.split()) == sorted(re.findall(r"^step_(\w+)\(\)", EXTENDED, re.MULTILINE))


def test_an_unknown_step_is_an_error() -> None:
    ended = subprocess.run(
        [ROOT / ".ci" / "extended", "nope"], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("no step is called nope; there are: ")


def test_the_gate_runs_the_heavy_steps_and_ends_with_the_tests_own_line() -> None:
    lines = [line for line in GATE.splitlines() if line]
    begun = next(number for number, line in enumerate(lines) if "exec .ci/extended;" in line)
    awaited = next(number for number, line in enumerate(lines) if line.startswith('wait "$extended" ||'))
    assert begun < awaited < lines.index('step "Done"') == len(lines) - 2
    assert lines[-1].endswith('"$work/tests.txt" | tail -1')
