"""aiohttp's exceptions, translated at the edge into codes of the fault matrix.

The messages are made here from error numbers and the endpoint's own address: an exception's text may
hold a URL with a proxy's password in it.
"""

from __future__ import annotations

import errno
import os
import ssl

import aiohttp
from aiohttp.http import HttpProcessingError

BROKEN = (aiohttp.ClientError, HttpProcessingError, OSError)
"""What says that a connection can't be made, or has broken."""

MOST_SAID = 200
"""Characters of a parser's message that are kept."""

NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})


def translate(error: Exception, origin: str) -> tuple[str, str]:
    """Code and message for what the client raised while it talked to ``origin``."""
    if _errno(error) in NO_DESCRIPTORS:
        return "fd_limit", "this process has too many open files; see `ulimit -n`"
    if isinstance(error, aiohttp.ClientHttpProxyError | aiohttp.ClientProxyConnectionError):
        return _proxy(error, origin)
    if isinstance(error, aiohttp.ClientSSLError) and not isinstance(_cause(error), ssl.SSLEOFError):
        return "tls", f"no trusted TLS connection to {origin}: {_tls_reason(error)}"
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return "connect", f"can't connect to {origin}: {_reason(error)}"
    if isinstance(error, HttpProcessingError):
        said = " ".join(error.message.split())
        cut = said if len(said) <= MOST_SAID else f"{said[:MOST_SAID]}…"
        return "protocol", f"{origin} does not speak HTTP as it should: {cut}"
    return "truncated", f"the connection broke: {_reason(error)}"


def _proxy(error: aiohttp.ClientError, origin: str) -> tuple[str, str]:
    if not isinstance(error, aiohttp.ClientHttpProxyError):
        return "connect", f"can't connect to the proxy: {_reason(error)}"
    if error.status == 407:
        return "proxy_auth", "the proxy asks for a user name and password"
    return "connect", f"the proxy could not reach {origin} (HTTP {error.status})"


def _errno(error: BaseException) -> int | None:
    return getattr(_cause(error), "errno", None)


def _cause(error: BaseException) -> object:
    return getattr(error, "os_error", error)


def _reason(error: BaseException) -> str:
    number = _errno(error)
    if isinstance(_cause(error), ssl.SSLEOFError):
        return "it hung up during the TLS handshake"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the body ended early, or its framing is wrong"
    if isinstance(error, aiohttp.ClientConnectorDNSError) or (number is not None and number < 0):
        return "the host name is not known"
    return os.strerror(number) if number else type(error).__name__


def _tls_reason(error: aiohttp.ClientSSLError) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    return getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or type(cause).__name__
