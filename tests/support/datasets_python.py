"""A Python that has Hugging Face's ``datasets``: 300 MB, so that it is no part of the test extra.

It is the one that ``PROMPTJOBS_DATASETS_PYTHON`` names, or else the tests' own if that has the library.
``.ci/extended datasets`` runs the tests that need it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = os.environ.get("PROMPTJOBS_DATASETS_PYTHON") or (sys.executable if find_spec("datasets") else None)

needs_datasets = [
    pytest.mark.slow,
    pytest.mark.skipif(PYTHON is None, reason="`datasets` is not installed: 300 MB that no other test needs"),
]
"""The marks of a test that loads data sets."""


def run_with_datasets(script: str, folder: Path, *arguments: str) -> str:
    """Run the script in the folder, without any network; return what it prints."""
    assert PYTHON is not None
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home"), "PATH": os.environ["PATH"]}
    process = subprocess.run(
        [PYTHON, "-c", script, *arguments], cwd=folder, env=environment, capture_output=True, check=False
    )
    assert process.returncode == 0, process.stderr.decode()
    return process.stdout.decode()
