"""Both paths of a request through aiohttp: the fast one, and the public interface."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from batch.providers import aiohttp_check

HIDDEN = str(Path(__file__).parent / "hidden_aiohttp")
"""A folder for ``PYTHONPATH``, with which a process does not find aiohttp's private names."""


def hidden(environment: dict[str, str]) -> dict[str, str]:
    """An environment in which aiohttp's private names are hidden."""
    return {**environment, "PYTHONPATH": os.pathsep.join([HIDDEN, environment["PYTHONPATH"]])}


@pytest.fixture(params=["fast", "public"])
def both_paths(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test on either path, in this process and in the command's; the path's name."""
    path: str = request.param
    if path == "public":
        monkeypatch.setattr(aiohttp_check, "mismatch", lambda: "hidden by a test")
        if "promptjobs" in request.fixturenames:
            command = request.getfixturevalue("promptjobs")
            command.environment = hidden(command.environment)
    return path
