"""The files beside an output, which are no more open to others than the output is."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from batch.results.filesystem import match, open_own

ENDINGS = (".lock", ".log", ".log.1", ".corrupt", ".job.json", ".summary.json", ".superseded.jsonl")
"""What their names have behind that of the output."""


def match_sidecars(output: Path) -> None:
    """Give the files beside an output its owner and its mode, as far as this process may. Never raises."""
    output = Path(os.path.realpath(output))
    for ending in ENDINGS:
        with suppress(OSError):
            descriptor = open_own(output.with_name(output.name + ending), os.O_RDONLY, like=output)
            try:
                match(descriptor, output)
            finally:
                os.close(descriptor)
