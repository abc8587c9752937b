"""The environment of the tests: the variables that they read, and those that they must not see."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

VARIABLES = frozenset({
    "PROMPTJOBS_CUTS",
    "PROMPTJOBS_DATASETS_PYTHON",
    "PROMPTJOBS_DISK_CASES",
    "PROMPTJOBS_FAULTY_REQUESTS",
    "PROMPTJOBS_FUZZ",
    "PROMPTJOBS_KILLS",
    "PROMPTJOBS_RACES",
    "PROMPTJOBS_ROWS",
    "PROMPTJOBS_SCHEDULES",
    "PROMPTJOBS_TEST_SUMMARIES",
})  # fmt: skip
"""Read by the tests, mostly to run a campaign in place of a sample."""


def foreign(environment: Iterable[str]) -> set[str]:
    """Return the names that would change what the command does: a user's options, a build server's marks."""
    options = {name for name in environment if name.startswith("PROMPTJOBS_")} - VARIABLES
    return options | ({"CI", "NO_COLOR", "FORCE_COLOR"} & set(environment))
