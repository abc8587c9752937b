"""The environment of the peers: made once with pip in the user's cache, no dependency of the project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

PACKAGES = (
    "g4f==0.5.3.1",  # the newest that carries the AutonomousAI class, under not_working
    "aiohttp",
    "openai[aiohttp]",
    "httpx",
    "litellm",
    "matplotlib",
)
OURS = ("aiohttp", "uvloop", "msgspec", "anyio")
"""What our own figures rest on."""


def environment() -> Path:
    """The peers' Python, made if it is not there yet (that takes minutes)."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = cache / "promptjobs-bench" / f"python-{sys.version_info.major}.{sys.version_info.minor}"
    python = directory / "bin" / "python"
    if not (directory / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(directory)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        (directory / "complete").touch()
    return python


def versions(python: Path) -> dict[str, str]:
    """Name → version of all that was measured, ours with ``promptjobs`` before them."""
    listing = subprocess.run(
        [str(python), "-m", "pip", "list", "--format", "json"], check=True, capture_output=True
    )
    names = {package.partition("==")[0].partition("[")[0] for package in PACKAGES} - {"matplotlib"}
    installed = {entry["name"]: entry["version"] for entry in json.loads(listing.stdout)}
    peers = {name: number for name, number in installed.items() if name in names}
    return {"python": sys.version.split()[0], **own_versions(), **peers}


def own_versions() -> dict[str, str]:
    """The same for this environment alone."""
    return {name: version(name) for name in ("promptjobs", *OURS)}
