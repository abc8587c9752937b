"""The only reader of environment variables, key files and home directories."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from yarl import URL

from batch.app.setup import trust
from batch.app.setup.env_proxy import EnvironmentProxy, proxy_for
from batch.errors import KeyFileError, UsageError, VariableError
from batch.files import open_regular, reason
from batch.jobfile.endpoint_checks import (
    REFERENCE,
    call_at_end,
    is_secret_parameter,
    looks_random,
)
from batch.local_model.weights import cache_dir
from batch.secret_words import names_secret
from batch.wire.dialects.registry import dialect_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from batch.jobfile.job import Model

_MAX_KEY = 64 * 1024


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
            return _key_in(model.api_key_file)
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
        urls = [URL(self.expand(written)) for written in addresses]
        written_in = [value for url in urls for name, value in url.query.items() if is_secret_parameter(name)]
        return values + [secret for secret in (*(url.password for url in urls), *written_in) if secret]

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
        value = self.variables.get(name, "").strip()
        if not value:
            raise VariableError(name, "is not set")
        if not value.isprintable():
            raise VariableError(name, "holds a line break or a control character")
        return value


def _names(texts: Iterable[str]) -> list[str]:
    """Return the variables that some texts refer to."""
    return [name for text in texts for name in REFERENCE.findall(text)]


def _key_in(path: Path) -> str:
    """Return the only line of a key file. Raises ``KeyFileError``, which repeats nothing of it."""
    try:
        with open_regular(path) as file:
            key = file.read(_MAX_KEY + 1).decode("utf-8-sig").strip()
    except OSError as error:
        raise KeyFileError(f"the key file {path} cannot be read: {reason(error)}") from None
    except UnicodeDecodeError:
        key = ""
    if not key or not key.isprintable() or len(key) > _MAX_KEY:
        raise KeyFileError(f"the key file {path} does not hold one line with a key")
    return key
