"""The only reader of environment variables, key files and home directories."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from yarl import URL

from batch import key_sources
from batch.app.setup import trust
from batch.app.setup.env_proxy import EnvironmentProxy, proxy_for
from batch.errors import UsageError
from batch.jobfile.endpoint_checks import (
    REFERENCE,
    call_at_end,
    looks_random,
)
from batch.local_model.weights import cache_dir
from batch.providers.url_secrets import secrets_in_url
from batch.secret_words import names_secret
from batch.wire.dialects.registry import dialect_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from batch.jobfile.job import Model


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables and the home of one user. ``Environment.current()`` is that of this process."""

    variables: Mapping[str, str]
    home: Path

    def __repr__(self) -> str:
        return f"Environment(home={str(self.home)!r})"

    @classmethod
    def current(cls) -> Environment:
        """The environment of this process."""
        try:
            home = Path.home()
        except RuntimeError:  # a container's user may have none
            home = Path(os.sep)
        return cls(os.environ, home)

    @property
    def cache(self) -> Path:
        """The folder for weights."""
        return cache_dir(self.variables, self.home, sys.platform)

    @property
    def trust_store(self) -> Path:
        """The file of trusted pairs of key and origin."""
        return trust.store(self.variables, self.home)

    def expand(self, text: str) -> str:
        """Expand the ``${NAME}`` references in the text. Raises ``VariableError``."""
        return REFERENCE.sub(lambda reference: self.variable(reference[1]), text)

    def base_url(self, model: Model) -> str:
        """Return the URL that requests go to: the job's, else that of the dialect.

        A key may only be a part of it if its origin is trusted. A variable that holds the whole URL is the
        user's own choice of destination. Raises ``UsageError``.
        """
        written = model.base_url or dialect_of(model.provider).DEFAULT_URL
        if written is None:
            raise UsageError(f"the model {model.id} has no address, and `{model.provider}` has no default")
        url = self._url(written)
        address, mark, _ = url.partition("?")
        if mark and "?" not in written and not REFERENCE.fullmatch(written):
            raise UsageError(f"the address {written} contains `?` after its variables are expanded")
        if call := call_at_end(address):
            raise UsageError(f"the address {written} ends in {call}, which the client adds; leave it out")
        return url

    def proxy(self, model: Model) -> str | None:
        """Return the model's proxy, references expanded; a password is only sent to a trusted proxy."""
        if model.proxy is None:
            return None
        url = self._url(model.proxy)
        if "?" in url:
            raise UsageError(f"the address {model.proxy} contains `?` after its variables are expanded")
        return url

    def environment_proxy(self, base_url: str, target: str) -> EnvironmentProxy | None:
        """Return the proxy that the environment names for an address.

        A proxy can read everything that goes to an ``http`` address, so the user must have trusted it.
        ``target`` is the address as it may be displayed. Raises ``UntrustedKeyError``, and ``UsageError`` if
        the variable is not an address.
        """
        found = proxy_for(base_url, self.variables)
        if found is None:
            return None
        where = trust.origin(found.url, f"${{{found.variable}}}")
        if URL(base_url).scheme == "http":
            trust.check_reading_proxy(found.variable, where, target, trust.recorded(self.trust_store))
        return found

    def has_trusted(self, proxy: EnvironmentProxy) -> bool:
        """Return whether this user has recorded the proxy under its variable, in either spelling."""
        names, where = (proxy.variable.lower(), proxy.variable.upper()), trust.origin(proxy.url)
        return any(name in names and origin == where for name, origin in trust.recorded(self.trust_store))

    def warnings(self, model: Model) -> list[str]:
        """Return warnings about a model's key: a key file that other users can read."""
        if os.name == "posix" and model.api_key_file is not None:
            mode = model.api_key_file.stat().st_mode
            if mode & (stat.S_IRGRP | stat.S_IROTH):
                return [f"others can read the key file {model.api_key_file}: chmod 600 {model.api_key_file}"]
        return []

    def api_key(self, model: Model, readers: Sequence[str]) -> str | None:
        """Return the model's key, if it has one that may be sent to all of ``readers`` (URLs).

        Raises ``UntrustedKeyError``, and ``UsageError`` if the key is not found.
        """
        if model.api_key_env is not None:
            self._check([model.api_key_env], readers)
            return self.variable(model.api_key_env)
        if model.api_key_file is not None:
            self._check([str(model.api_key_file)], readers)
            return key_sources.key_file(model.api_key_file)
        return None

    def headers(self, model: Model, readers: Sequence[str]) -> dict[str, str]:
        """Return the model's headers, expanded, if they may be sent to all of ``readers`` (URLs)."""
        self._check(_names(model.headers.values()), readers)
        return {name: self.expand(value) for name, value in model.headers.items()}

    def secrets(self, model: Model) -> list[str]:
        """Return the secrets that the model's headers and addresses refer to, and passwords in URLs.

        A header such as ``HTTP-Referer: ${SITE}`` holds no secret, and a server may repeat it.
        """
        secret = {n for name, value in model.headers.items() if names_secret(name) for n in _names([value])}
        addresses = [written for written in (model.base_url, model.proxy) if written]
        in_parts = [written for written in addresses if not REFERENCE.fullmatch(written)]
        named = _names([*model.headers.values(), *in_parts])
        values = [
            value
            for name, value in ((name, self.variable(name)) for name in named)
            if name in secret
            or names_secret(name)
            or (looks_random(value) and value not in (model.model, model.id))
        ]
        urls = [self.expand(written) for written in addresses]
        return values + [secret for url in urls for secret in secrets_in_url(url)]

    def sources(self, model: Model) -> dict[str, str]:
        """Return all variables and key files that the model refers to, with their values."""
        texts = [*model.headers.values(), model.base_url or "", model.proxy or ""]
        names = _names(texts) + ([model.api_key_env] if model.api_key_env else [])
        found = {name: self.variable(name) for name in names}
        if model.api_key_env is None and model.api_key_file is not None:
            found[os.path.abspath(model.api_key_file)] = key_sources.key_file(model.api_key_file)
        return found

    def _url(self, written: str) -> str:
        url = self.expand(written)
        trust.origin(url, written)
        if "#" in url:
            raise UsageError(f"the address {written} contains `#` after its variables are expanded")
        if not REFERENCE.fullmatch(written):
            self._check(_names([written]), [url], written)
        return url

    def _check(self, names: Iterable[str], readers: Iterable[str], written: str | None = None) -> None:
        pairs = [(name, url) for name in names for url in readers]
        recorded = trust.recorded(self.trust_store) if pairs else []
        for name, url in pairs:
            trust.check(name, url, recorded, written)

    def variable(self, name: str) -> str:
        """Return the value of a variable. Raises ``VariableError`` unless it is one line."""
        return key_sources.variable(name, self.variables)


def _names(texts: Iterable[str]) -> list[str]:
    """Return the variables that some texts refer to."""
    return [name for text in texts for name in REFERENCE.findall(text)]
