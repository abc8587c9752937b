"""``promptjobs validate`` on errors that people make: the exact place, message and hint of each.

The cases are in ``tests/cases/job_errors``, one file a kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.cli_support import Cli
from tests.support.job_error_cases import Case, all_cases

if TYPE_CHECKING:
    from pathlib import Path

CASES = all_cases()
MOST = 200
"""Characters of a message with its place and its hint: two lines of a usual terminal, or a little more."""


def test_there_are_cases_of_every_kind() -> None:
    kinds = {case.kind for case in CASES}
    assert kinds == {"endpoints", "inputs", "keys", "several", "syntax", "templates", "values"}
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[f"{case.kind}: {case.name}" for case in CASES])
def test_an_error_is_named_where_it_can_be_fixed(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    case.write(folder)
    ended = Cli(folder, monkeypatch, capsys)("validate", "job.yaml", "--output-format", "concise")
    printed = ended.stderr.replace(f"{folder}/", "").replace(str(folder), "FOLDER").splitlines()
    errors = [line for line in case.printed if ": warning: " not in line and " no errors; " not in line]
    assert printed == [*case.printed, *(_count(len(errors)) if errors else ())]
    assert ended.code == (2 if errors else 0)
    assert all(len(line) <= MOST for line in case.printed)


def _count(number: int) -> list[str]:
    return [f"{number} error{'s' * (number != 1)}; nothing was sent"]
