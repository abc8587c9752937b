"""Checks of addresses, headers and proxies, and of secrets that must not be in a job file.

A secret is referenced, never written: ``${NAME}`` stands for an environment variable. No message repeats a
value, since it may be the secret.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote_plus, urlsplit

from batch.jobfile.template_places import TYPOGRAPHIC
from batch.loopback import is_loopback
from batch.secret_words import names_secret

if TYPE_CHECKING:
    from batch.diagnostics import Problem

_RANDOM = 16
"""A value of letters and digits of at least this length looks like a key."""

LOCAL = "local"
"""The ``base_url`` of the embedded endpoint."""

ENGINES = ("llama", "extractive")
"""The named engines of the embedded endpoint, the default first."""

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""A reference to an environment variable in a text; the group is its name."""

_BROKEN_REFERENCE = re.compile(r"\$\{(?![A-Za-z_][A-Za-z0-9_]*\})")
_BEFORE_PATH = re.compile(r"\w+://[^/]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)
_KEY_PREFIX = re.compile(r"(?:sk|gsk|hf|xai|pplx|r8|nvapi|ghp|AIza)_?\w{16,}\Z", re.ASCII)
_WRITTEN_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]{0,99})\}?\Z|%([A-Z0-9_]+)%\Z", re.ASCII)
# A scheme (`Bearer `) or a name (`session=`), followed by nothing but references.
_NAMED_SECRET = re.compile(rf"(?:[A-Za-z][\w-]{{0,30}}[ =])?(?:{REFERENCE.pattern}:?)+\Z", re.ASCII)
_SECRET_PARAMETERS = frozenset({"key", "sig", "signature", "code", "apikey", "subscription-key"})
_CALLS = ("/chat/completions", "/completions", "/responses", "/embeddings")
_LISTS_MODELS = re.compile(r"/v[0-9][^/]*/models\Z")
_SLIP = re.compile(r"(?:(h\w{1,4}):?/{1,3}|:?//)?([A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[\w./-]*)?)\Z", re.ASCII)
"""An address whose scheme is missing or misspelt, and that cannot hold a secret."""

_PATHS = {
    "api.openai.com": "/v1",
    "openrouter.ai": "/api/v1",
    "api.mistral.ai": "/v1",
    "api.groq.com": "/openai/v1",
    "api.together.xyz": "/v1",
    "api.fireworks.ai": "/inference/v1",
}
"""The path of the API at services whose address without it is never right."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
# Especially `Host`: the key would be checked for one origin and sent to another.
_OF_THE_CONNECTION = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "keep-alive"}
)
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*\Z")


def variable_problem(name: str) -> Problem | None:
    """Return what is invalid in the name of an environment variable."""
    if _VARIABLE.match(name) and len(name) <= 100 and not _looks_like_key(name):
        return None
    what = "not the name of an environment variable"
    if (match := _WRITTEN_VARIABLE.match(name)) and match[1].isupper():
        return what, f"write `{match[1]}`"
    return what, "write the name of the variable here, not the key"


def _looks_like_key(name: str) -> bool:
    """Return whether a name is probably a key: some services' keys have only letters, digits and ``_``."""
    is_random = any(looks_random(part) for part in name.split("_"))
    return name != name.upper() and (is_random or _KEY_PREFIX.match(name) is not None)


def header_problem(name: str, value: str) -> Problem | None:
    """Return what is invalid in a header."""
    if not _HEADER_NAME.match(name):
        return "not the name of a header", ""
    if name.lower() in _OF_THE_CONNECTION:
        return "is set by the client", "leave it out"
    if not _HEADER_VALUE.match(value):
        return "a header's value is one line without control characters", ""
    if names_secret(name) and value and not _NAMED_SECRET.match(value):
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
        right = address.rstrip("/")[: -len(call)].rstrip("/")
        if _without_path(right):
            right += _PATHS[right.partition("://")[2].lower()]
        right += f"?{query}" if query else ""
        return f"ends in `{call}`, which the client adds", f"write `{right}`"
    return _without_path(address)


def _without_path(address: str) -> Problem | None:
    """Report the address of a well-known service without the path of its API."""
    host, _, path = address.partition("://")[2].lower().rstrip("/").partition("/")
    usual = None if path else _PATHS.get(host)
    return None if usual is None else (f'lacks "{usual}"', f"write `https://{host}{usual}`")


def is_secret_parameter(name: str) -> bool:
    """Return whether a query parameter of this name holds a secret, as far as its name shows."""
    return names_secret(name) or name.lower() in _SECRET_PARAMETERS


def call_at_end(address: str) -> str | None:
    """Return the path of an API call at the end of an address that should be a base URL."""
    path = address.rstrip("/").lower()
    if _LISTS_MODELS.search(path):
        return "/models"
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
        return "not an http or https URL", _meant(url, example) or f"write it as `{example}`"
    user, colon, password = parts.netloc.rpartition("@")[0].partition(":")
    secret = password if colon else user
    if secret and not REFERENCE.fullmatch(secret):
        return "a secret is not allowed in a job file", "write `${NAME}` in its place"
    return _broken_reference(url)


def _meant(url: str, example: str) -> str:
    """Return a hint with the address that is probably meant, or an empty text."""
    text = url.strip().strip("".join(TYPOGRAPHIC))
    match = _SLIP.match(text)
    if match is None or any(map(looks_random, re.split("[./:]", match[2]))):
        return ""
    host = match[2].partition("/")[0].partition(":")[0]
    if text == match[2] and not (host == "localhost" or "." in host or ":" in match[2]):
        return ""
    is_plain = match[1] is not None and not match[1].endswith("s")
    is_local = is_loopback(host) or ":" in match[2].partition("/")[0]
    scheme = "http" if is_plain or (match[1] is None and is_local) else "https"
    path = "" if "/" in match[2] else _BEFORE_PATH.sub("", example)
    meant = f"{scheme}://{match[2]}{path}"
    return "" if meant == url or _split(meant) is None else f"write `{meant}`"


def looks_random(value: str) -> bool:
    """Return whether a value looks like a key, and not like an address, a name or a sentence."""
    is_mixed = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    return is_mixed and len(value) >= _RANDOM and not any(mark in value for mark in (" ", "://"))


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
