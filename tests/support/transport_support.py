"""A client and an endpoint for tests of connections, an authority, and secrets to be kept."""

from __future__ import annotations

import ssl
from functools import partial
from typing import Any

import trustme

from batch.providers.client import HttpClient
from batch.providers.credentials import Credentials
from batch.providers.dialect_endpoint import DialectEndpoint
from batch.providers.timeouts import Timeouts
from batch.records import Outcome, Reply, Request
from batch.testing import answer
from batch.wire.dialects import autonomous, openai

KEY = "sk-a-secret-key-of-some-length-0123456789"
PASSWORD = "a-proxy-password-of-some-length"
PATIENT = Timeouts(connect=10, first_byte=10, idle=10)
REQUEST = Request("a", "f", "m", "m", ({"role": "user", "content": "?"},))
GOOD = answer("Hello")

CA = trustme.CA()
TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CA.configure_trust(TRUSTING)


def serving_tls() -> ssl.SSLContext:
    """A server's side of TLS that ``TRUSTING`` trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert("127.0.0.1", "endpoint.test").configure_cert(context)
    return context


openai_endpoint = partial(DialectEndpoint, openai)
autonomous_endpoint = partial(DialectEndpoint, autonomous)


def endpoint(client: HttpClient, url: str, *secrets: str) -> DialectEndpoint:
    """An endpoint that is shown ``KEY``."""
    return openai_endpoint(client, url, Credentials(KEY, {}, secrets))


async def ask(url: str, **options: Any) -> Outcome:
    """Ask once, with a client of its own."""
    async with HttpClient(options.pop("timeouts", PATIENT), **options) as client:
        return await endpoint(client, url).complete(REQUEST)


def text_of(outcome: Outcome) -> str:
    """The text of what must be a reply."""
    assert isinstance(outcome, Reply), outcome
    return outcome.text
