"""The environment variables that the tests themselves read, mostly to run a campaign in place of a sample."""

from __future__ import annotations

VARIABLES = frozenset({
    "PROMPTJOBS_DATASETS_PYTHON",
    "PROMPTJOBS_DISK_CASES",
    "PROMPTJOBS_FAULTY_REQUESTS",
    "PROMPTJOBS_FUZZ",
    "PROMPTJOBS_KILLS",
    "PROMPTJOBS_RACES",
    "PROMPTJOBS_ROWS",
    "PROMPTJOBS_TEST_SUMMARIES",
})  # fmt: skip
"""All others that begin with ``PROMPTJOBS_`` set options of the command, so the tests start without them."""
