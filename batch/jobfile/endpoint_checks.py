"""Checks of addresses, headers and proxies, and of secrets that must not be in a job file.

A secret is referenced, never written: ``${NAME}`` stands for an environment variable. No message repeats a
value, since it may be the secret.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote_plus, urlsplit

if TYPE_CHECKING:
    from batch.diagnostics import Problem

LOCAL = "local"
"""The ``base_url`` of the embedded endpoint."""

ENGINES = ("llama", "extractive")
"""The named engines of the embedded endpoint, the default first."""

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""A reference to an environment variable in a text; the group is its name."""

_BROKEN_REFERENCE = re.compile(r"\$\{(?![A-Za-z_][A-Za-z0-9_]*\})")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)
_SECRET_HEADER = re.compile(r"auth|api.?key|cookie|token|secret|passw|credential", re.IGNORECASE)
# A scheme (`Bearer `) or a name (`session=`), followed by nothing but references.
_NAMED_SECRET = re.compile(rf"(?:[A-Za-z][\w-]{{0,30}}[ =])?(?:{REFERENCE.pattern}:?)+\Z", re.ASCII)
_SECRET_PARAMETERS = frozenset({"key", "sig", "signature", "code", "apikey", "subscription-key"})
_CALLS = ("/chat/completions", "/completions")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
# Especially `Host`: the key would be checked for one origin and sent to another.
_OF_THE_CONNECTION = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "keep-alive"}
)
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*\Z")


def names_secret(name: str) -> bool:
    """Return whether a header or a variable of this name holds a secret, whatever its value."""
    return _SECRET_HEADER.search(name) is not None


def variable_problem(name: str) -> Problem | None:
    """Return what is invalid in the name of an environment variable."""
    if _VARIABLE.match(name) and len(name) <= 100:
        return None
    return "not the name of an environment variable", "write the name of the variable here, not the key"


def header_problem(name: str, value: str) -> Problem | None:
    """Return what is invalid in a header."""
    if not _HEADER_NAME.match(name):
        return "not the name of a header", ""
    if name.lower() in _OF_THE_CONNECTION:
        return "is set by the client", "leave it out"
    if not _HEADER_VALUE.match(value):
        return "a header's value is one line without control characters", ""
    if _SECRET_HEADER.search(name) and value and not _NAMED_SECRET.match(value):
        return "a secret is not allowed in a job file", "write `${NAME}`, or use `api_key_env`"
    return _broken_reference(value)


def base_url_problem(url: str) -> Problem | None:
    """Return what is invalid in a ``base_url``."""
    if url == LOCAL:
        return None
    if problem := _url_problem(url, "http://host:port/v1"):
        return problem
    if "#" in url:
        return "an address with `#` in it", "leave out what follows it"
    address, _, query = url.partition("?")
    if any(is_secret_parameter(name) and not REFERENCE.fullmatch(value) for name, value in _pairs(query)):
        hint = "a key goes into `api_key_env`, or write `${NAME}` in its place"
        return "a secret is not allowed in a job file", hint
    if call := call_at_end(address):
        right = address.rstrip("/")[: -len(call)].rstrip("/") + (f"?{query}" if query else "")
        return f"ends in `{call}`, which the client adds", f"write `{right}`"
    return None


def is_secret_parameter(name: str) -> bool:
    """Return whether a query parameter of this name holds a secret, as far as its name shows."""
    return bool(_SECRET_HEADER.search(name)) or name.lower() in _SECRET_PARAMETERS


def call_at_end(address: str) -> str | None:
    """Return the path of an API call at the end of an address that should be a base URL."""
    path = address.rstrip("/").lower()
    return next((call for call in _CALLS if path.endswith(call)), None)


def _pairs(query: str) -> list[tuple[str, str]]:
    """Return the parameters of a query, percent-decoded."""
    return [
        (unquote_plus(name), value) for name, _, value in (part.partition("=") for part in query.split("&"))
    ]


def proxy_problem(url: str) -> Problem | None:
    """Return what is invalid in a proxy's URL."""
    return _url_problem(url, "http://host:port")


def _url_problem(url: str, example: str) -> Problem | None:
    if REFERENCE.fullmatch(url):
        return None
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https"):
        return "not an http or https URL", f"write it as `{example}`"
    user, colon, password = parts.netloc.rpartition("@")[0].partition(":")
    secret = password if colon else user
    if secret and not REFERENCE.fullmatch(secret):
        return "a secret is not allowed in a job file", "write `${NAME}` in its place"
    return _broken_reference(url)


def _split(url: str) -> SplitResult | None:
    if not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        # A reference may stand for the port; its value is checked when it is expanded.
        return None if not REFERENCE.search(url) else urlsplit(REFERENCE.sub("0", url))
    return parts if has_host else None


def _broken_reference(text: str) -> Problem | None:
    if _BROKEN_REFERENCE.search(text):
        return "`${` without a name and `}`", "an environment variable is written `${NAME}`"
    return None
