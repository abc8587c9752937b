"""Endpoints without the values of variables and key files, which each worker reads itself.

A value is replaced by the name of its source wherever it occurs, so that it can be in no part of the message.
The worker has the same values, so the replacement can be undone exactly.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from batch.providers.endpoint_spec import EndpointSpec
from batch.providers.url_secrets import secrets_in_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_MARK = "\0"
"""Encloses the name of a source. No value has it, since values are printable."""

_SEALED = re.compile(f"{_MARK}([^{_MARK}]*){_MARK}")


def sealed(endpoints: Iterable[EndpointSpec], sources: Mapping[str, str]) -> list[EndpointSpec]:
    """Return the endpoints with names in place of the values of ``sources``."""
    names = {value: name for name, value in sources.items()}
    if not names:
        return list(endpoints)
    longest_first = sorted(names, key=len, reverse=True)
    values = re.compile("|".join(map(re.escape, longest_first)))

    def seal(text: str) -> str:
        return values.sub(lambda found: f"{_MARK}{names[found[0]]}{_MARK}", text)

    return [_changed(_without_derived(endpoint), seal) for endpoint in endpoints]


def unsealed(endpoints: Iterable[EndpointSpec], sources: Mapping[str, str]) -> list[EndpointSpec]:
    """Return the endpoints with the values of ``sources`` in place of names. Undoes ``sealed``."""

    def unseal(text: str) -> str:
        return _SEALED.sub(lambda found: sources[found[1]], text)

    return [_with_derived(_changed(endpoint, unseal)) for endpoint in endpoints]


def _without_derived(endpoint: EndpointSpec) -> EndpointSpec:
    """Leave out the secrets that are decoded from URLs: they are not values, but parts of them."""
    derived = _derived(endpoint)
    kept = tuple(secret for secret in endpoint.secrets if secret not in derived)
    return msgspec.structs.replace(endpoint, secrets=kept)


def _with_derived(endpoint: EndpointSpec) -> EndpointSpec:
    # the endpoint has those of a key that was sent
    secrets = dict.fromkeys((*endpoint.secrets, *_derived(endpoint)))
    return msgspec.structs.replace(endpoint, secrets=tuple(secrets))


def _derived(endpoint: EndpointSpec) -> list[str]:
    urls = [url for url in (endpoint.base_url, endpoint.client.proxy) if url]
    return [secret for url in urls for secret in secrets_in_url(url)]


def _changed(endpoint: EndpointSpec, change: Callable[[str], str]) -> EndpointSpec:
    return msgspec.convert(_with_texts(msgspec.to_builtins(endpoint), change), EndpointSpec)


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return a value with every text in it changed, except for the keys of objects."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _with_texts(item, change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_texts(item, change) for item in value]
    return value
