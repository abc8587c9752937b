"""Which origin may receive which key.

A job file can come from anywhere, and names both a key and a host. So a key is sent only to an origin that is
trusted for its name: this machine itself, a well-known pair, or a pair that this user has recorded.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from yarl import URL

from batch import loopback
from batch.errors import UntrustedKeyError, UsageError
from batch.results.filesystem import reason

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

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

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def origin(url: str, written: str | None = None) -> str:
    """Return scheme, host and port of an http(s) URL as an origin.

    Raises ``UsageError``. The message shows the text as ``written``, with its references, and never the
    expanded URL, since that may contain a secret.
    """
    try:
        parsed = URL(url)
        if parsed.scheme in ("http", "https") and parsed.host and url.isprintable() and " " not in url:
            return str(parsed.origin())
    except ValueError:
        pass
    if written in (None, url):
        raise UsageError(f"{_without_user(url)!r} is not an http or https URL")
    raise UsageError(
        f"{_without_user(written or '')!r} is not an http or https URL after its variables are expanded"
    )


def is_loopback(url: str) -> bool:
    """Return whether the URL's host is this machine itself."""
    return loopback.is_loopback(URL(url).host or "")


def check(name: str, url: str, recorded: Collection[tuple[str, str]], written: str | None = None) -> None:
    """Raise ``UntrustedKeyError`` unless the key of this name may be sent to the URL's origin.

    ``written`` is the URL with its references: their values may be the key, and are not shown.
    """
    where = origin(url, written)
    if is_loopback(url) or WELL_KNOWN.get(name) == where or (name, where) in recorded:
        return
    place = shown(url, written)
    raise UntrustedKeyError(
        f"the key {name} is not trusted for {place}; to allow it, "
        f"run: promptjobs trust {shlex.quote(name)} {_quoted(place)}"
    )


def check_reading_proxy(
    variable: str, where: str, target: str, recorded: Collection[tuple[str, str]]
) -> None:
    """Raise ``UntrustedKeyError`` unless the user trusts the proxy's origin with everything.

    ``variable`` is the environment variable that names the proxy; ``target`` the origin behind it.
    """
    if any(pair[1] == where for pair in recorded):
        return
    raise UntrustedKeyError(
        f"{variable} sends requests for {target} through the proxy {where}, which would read the "
        f"prompts and the key; to allow it, run: promptjobs trust {variable} {where}; "
        "otherwise write `proxy: null` in the job file, or add the host to NO_PROXY"
    )


def shown(url: str, written: str | None) -> str:
    """Return a URL's origin for display; if variables are a part of it, as ``written``."""
    return _origin_as_written(written or "") or origin(url)


def key_name(typed: str, *, is_new: bool = True) -> str:
    """Return the name under which a key is recorded: a variable's name, a key file's absolute path.

    Raises ``UsageError`` for anything else, without repeating it: it may be the key itself. Only a file that
    is no longer to be trusted (not ``is_new``) may be missing.
    """
    if _VARIABLE.fullmatch(typed):
        return typed
    if os.path.isfile(typed) or not is_new:
        return os.path.realpath(typed)
    raise UsageError("KEY is the name of an environment variable or the path of a key file, never a key")


def store(environ: Mapping[str, str], home: Path) -> Path:
    """Return the file that records this user's pairs."""
    folder = environ.get("XDG_CONFIG_HOME", "")
    base = Path(folder) if os.path.isabs(folder) else home / ".config"
    return base / "promptjobs" / "trusted.json"


def recorded(path: Path) -> list[tuple[str, str]]:
    """Return the recorded pairs of key name and origin. Raises ``UsageError`` if the file is damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[tuple[str, str]])
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read: {reason(error)}; fix it, or delete it and record the pairs again"
        ) from None


def record(path: Path, name: str, url: str) -> str:
    """Add a pair, and return its origin. Raises ``UsageError``."""
    where = origin(url)
    pairs = recorded(path)
    if (name, where) not in pairs:
        _write(path, [*pairs, (name, where)])
    return where


def forget(path: Path, name: str, url: str) -> bool:
    """Remove a pair; return whether there was one. Raises ``UsageError``."""
    pair = (name, origin(url))
    pairs = recorded(path)
    if pair in pairs:
        _write(path, [other for other in pairs if other != pair])
    return pair in pairs


def _write(path: Path, pairs: list[tuple[str, str]]) -> None:
    """Replace the file atomically."""
    new = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(msgspec.json.format(msgspec.json.encode(pairs)) + b"\n")
        new.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def _without_user(url: str) -> str:
    """Return the URL without the part before ``@``, which may be a password."""
    scheme, separator, rest = url.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def _origin_as_written(written: str) -> str | None:
    """Return the origin of a URL whose host or port comes from a variable; ``None`` for another."""
    scheme, _, rest = written.partition("://")
    authority = rest.partition("/")[0].rpartition("@")[2]
    return f"{scheme}://{authority}" if "${" in authority else None


def _quoted(where: str) -> str:
    """Quote for a shell, which expands the variables."""
    return f'"{where}"' if "${" in where else where
