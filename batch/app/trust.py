"""Which origin may be shown which key.

A job file can come from anywhere, and names both a key and a host. So a key goes only to an origin that
is trusted for its name: this machine itself, a well-known pair, or a pair that this user has recorded.
"""

from __future__ import annotations

import json
import os
from ipaddress import ip_address
from typing import TYPE_CHECKING

from yarl import URL

from batch.errors import UntrustedKeyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

WELL_KNOWN = {
    "OPENAI_API_KEY": "https://api.openai.com",
    "ANTHROPIC_API_KEY": "https://api.anthropic.com",
    "OPENROUTER_API_KEY": "https://openrouter.ai",
    "MISTRAL_API_KEY": "https://api.mistral.ai",
    "GROQ_API_KEY": "https://api.groq.com",
    "TOGETHER_API_KEY": "https://api.together.xyz",
    "DEEPSEEK_API_KEY": "https://api.deepseek.com",
    "FIREWORKS_API_KEY": "https://api.fireworks.ai",
    "GEMINI_API_KEY": "https://generativelanguage.googleapis.com",
    "AUTONOMOUS_API_KEY": "https://chatgpt.autonomous.ai",
}
"""Key name → the origin of the service that the name belongs to."""


def origin(url: str) -> str:
    """Scheme, host and port of a URL, as one writes an origin. Raises ``UsageError``."""
    try:
        return str(URL(url).origin())
    except ValueError as error:
        raise UsageError(f"{url!r} is no http(s) URL: {error}") from None


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine itself."""
    host = URL(url).host or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def check(name: str, url: str, recorded: Collection[tuple[str, str]]) -> None:
    """Raise ``UntrustedKeyError`` unless the key of this name may go to the URL's origin."""
    where = origin(url)
    if is_loopback(url) or WELL_KNOWN.get(name) == where or (name, where) in recorded:
        return
    raise UntrustedKeyError(
        f"the key {name} is not trusted for {where}; if you want it to go there, "
        f"say it once: promptjobs trust {name} {where}"
    )


def store(environ: Mapping[str, str], home: Path) -> Path:
    """The file in which this user's pairs are recorded."""
    folder = environ.get("XDG_CONFIG_HOME", "")
    base = home / ".config" if not os.path.isabs(folder) else home.__class__(folder)
    return base / "promptjobs" / "trusted.json"


def recorded(path: Path) -> list[tuple[str, str]]:
    """The recorded pairs of key name and origin. Raises ``UsageError`` where the file is damaged."""
    try:
        pairs = json.loads(path.read_text(encoding="utf-8"))
        return [(str(name), str(where)) for name, where in pairs]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None


def record(path: Path, name: str, url: str) -> str:
    """Add a pair, and return its origin. The file is replaced in one step."""
    where = origin(url)
    pairs = recorded(path)
    if (name, where) not in pairs:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(json.dumps([*pairs, (name, where)], indent=1) + "\n", encoding="utf-8")
        new.replace(path)
    return where


def forget(path: Path, name: str, url: str) -> bool:
    """Remove a pair; whether there was one."""
    where = origin(url)
    pairs = recorded(path)
    if (name, where) not in pairs:
        return False
    new = path.with_suffix(".new")
    new.write_text(json.dumps([pair for pair in pairs if pair != (name, where)], indent=1) + "\n")
    new.replace(path)
    return True
