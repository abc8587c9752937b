"""Translation of aiohttp's exceptions into failure codes.

The messages are built here from error numbers: the text of an exception may contain a URL with a proxy's
password. ``failure_messages`` adds the request.
"""

from __future__ import annotations

import errno
import os
import ssl

import aiohttp
from aiohttp.http import HttpProcessingError

BROKEN = (aiohttp.ClientError, HttpProcessingError, OSError)
"""Exceptions of a connection that cannot be opened or was lost."""

MAX_MESSAGE = 200
"""Maximum number of characters of a parser's message that are kept."""

NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})


NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL"})
"""OpenSSL's names of the error if the first bytes of a server are not TLS."""

NO_HTTP = frozenset({"truncated", "protocol"})
"""Codes of a server that accepts a connection and sends no HTTP response."""


def translate(error: Exception) -> tuple[str, str]:
    """Return the code and message for an exception of the client during a request."""
    if _errno(error) in NO_DESCRIPTORS:
        return "fd_limit", "this process has too many open files; see `ulimit -n`"
    if isinstance(error, aiohttp.ClientHttpProxyError | aiohttp.ClientProxyConnectionError):
        return _proxy(error)
    if isinstance(error, aiohttp.ClientSSLError) and not isinstance(_cause(error), ssl.SSLEOFError):
        return "tls", _tls(error)
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return "connect", f"cannot connect: {_reason(error)}"
    if isinstance(error, HttpProcessingError):
        message = " ".join(error.message.split())
        cut = message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…"
        return "protocol", f"invalid HTTP response: {cut}"
    return "truncated", f"the connection was lost: {_reason(error)}"


def _proxy(error: aiohttp.ClientError) -> tuple[str, str]:
    if not isinstance(error, aiohttp.ClientHttpProxyError):
        return "connect", f"cannot connect to the proxy: {_reason(error)}"
    if error.status == 407:
        return "proxy_auth", "the proxy requires a user name and password"
    return "connect", f"the proxy could not reach the server (HTTP {error.status})"


def _errno(error: BaseException) -> int | None:
    return getattr(_cause(error), "errno", None)


def _cause(error: BaseException) -> object:
    return getattr(error, "os_error", error)


def _reason(error: BaseException) -> str:
    number = _errno(error)
    if _ended_in_handshake(_cause(error)):
        return "the server closed the connection during the TLS handshake; it may not speak https"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server closed it without a response"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the body ended early, or its framing is invalid"
    if isinstance(error, aiohttp.ClientConnectorDNSError) or (number is not None and number < 0):
        return "unknown host name"
    return os.strerror(number) if number else type(error).__name__


def _ended_in_handshake(cause: object) -> bool:
    """Whether the server hung up on a TLS handshake, for which event loops raise no error number."""
    return isinstance(cause, ssl.SSLEOFError) or (isinstance(cause, ConnectionError) and not cause.errno)


def _tls(error: aiohttp.ClientSSLError) -> str:
    reason = _tls_reason(error)
    if reason in NO_TLS:
        return "the server does not speak TLS. Is `http://` right in place of `https://` in `base_url`?"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the TLS certificate is not trusted: {reason}. For a private CA, set SSL_CERT_FILE."
    return f"no TLS connection: {reason}"


def _tls_reason(error: aiohttp.ClientSSLError) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    return getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or type(cause).__name__
