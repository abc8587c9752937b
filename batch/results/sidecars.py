"""The sidecar files of an output, with no wider permissions than the output."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from batch.results.filesystem import match, open_own

ENDINGS = (
    ".lock",
    ".log",
    ".log.1",
    ".corrupt",
    ".job.json",
    ".summary.json",
    ".progress.json",
    ".runs.jsonl",
    ".superseded.jsonl",
)
"""The suffixes of their names after that of the output."""


def match_sidecars(output: Path) -> None:
    """Give the sidecar files the owner and mode of the output, as far as permissions allow. Never raises."""
    output = Path(os.path.realpath(output))
    for ending in ENDINGS:
        with suppress(OSError):
            descriptor = open_own(output.with_name(output.name + ending), os.O_RDONLY, like=output)
            try:
                match(descriptor, output)
            finally:
                os.close(descriptor)
