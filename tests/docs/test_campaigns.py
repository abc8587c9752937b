"""The commands that the pages give for campaigns run as many cases as they say."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support import campaigns

ROOT = Path(__file__).parents[2]
READ = re.compile(r"""environ(?:\.get\(|\[)["'](PROMPTJOBS_\w+)""")
GIVEN = re.compile(r"(PROMPTJOBS_\w+)=\S+ (?:python -m )?(?:pytest|tests)")


def test_the_tests_read_the_variables_that_are_listed() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")]
    assert {name for source in sources for name in READ.findall(source)} == campaigns.VARIABLES


def test_the_pages_set_only_variables_that_the_tests_read() -> None:
    pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / "tests").rglob("*.py")]
    given = {name for path in pages for name in GIVEN.findall(path.read_text(encoding="utf-8"))}
    assert given >= {"PROMPTJOBS_DISK_CASES", "PROMPTJOBS_FUZZ", "PROMPTJOBS_KILLS", "PROMPTJOBS_RACES"}
    assert given <= campaigns.VARIABLES


def test_only_options_and_marks_are_taken_from_the_environment() -> None:
    kept = ["HOME", "PROMPTJOBS_DISK_CASES", "PROMPTJOBS_KILLS", "XPROMPTJOBS_LIMIT"]
    assert campaigns.foreign([*kept, "PROMPTJOBS_LIMIT", "CI", "NO_COLOR"]) == {
        "PROMPTJOBS_LIMIT",
        "CI",
        "NO_COLOR",
    }
    assert campaigns.foreign(kept) == set()
