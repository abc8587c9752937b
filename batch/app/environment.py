"""What the process's surroundings say: the one reader of environment variables, key files and homes."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batch.app import trust
from batch.errors import UsageError
from batch.local_model.weights import cache_dir

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch.jobfile.job import Model

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables and the home of one user. ``Environment.current()`` is this process's own."""

    variables: Mapping[str, str]
    home: Path

    def __repr__(self) -> str:
        return f"Environment(home={str(self.home)!r})"

    @classmethod
    def current(cls) -> Environment:
        """The environment of this process."""
        return cls(os.environ, Path.home())

    @property
    def cache(self) -> Path:
        """Where weights are kept."""
        return cache_dir(self.variables, self.home, sys.platform)

    @property
    def trust_store(self) -> Path:
        """Where trusted pairs of key and origin are recorded."""
        return trust.store(self.variables, self.home)

    def expand(self, text: str) -> str:
        """The text with its ``${NAME}`` references replaced. Raises ``UsageError`` where one is not set."""
        return _REFERENCE.sub(lambda reference: self.variable(reference[1]), text)

    def base_url(self, model: Model, default: str) -> str:
        """The URL that requests go to; a key may only be a part of it where its origin is trusted."""
        written = model.base_url or default
        url = self.expand(written)
        if not _REFERENCE.fullmatch(written):
            self._check(_REFERENCE.findall(written), url)
        trust.origin(url)
        return url

    def api_key(self, model: Model, base_url: str) -> str | None:
        """The model's key, if it names one that may go to this URL.

        Raises ``UntrustedKeyError``, and ``UsageError`` where the key is not to be found.
        """
        if model.api_key_env is not None:
            self._check([model.api_key_env], base_url)
            return self.variable(model.api_key_env)
        if model.api_key_file is None:
            return None
        self._check([str(model.api_key_file)], base_url)
        try:
            key = model.api_key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the key file {model.api_key_file} cannot be read: {error}") from None
        if not key or not key.isprintable():
            raise UsageError(f"the key file {model.api_key_file} does not hold one line with a key")
        return key

    def headers(self, model: Model, base_url: str) -> dict[str, str]:
        """The model's own headers, references expanded."""
        for value in model.headers.values():
            self._check(_REFERENCE.findall(value), base_url)
        return {name: self.expand(value) for name, value in model.headers.items()}

    def proxy(self, model: Model) -> str | None:
        """The model's proxy, references expanded; a password goes only to a proxy trusted for it."""
        if model.proxy is None:
            return None
        proxy = self.expand(model.proxy)
        if not _REFERENCE.fullmatch(model.proxy):
            self._check(_REFERENCE.findall(model.proxy), proxy)
        return proxy

    def secrets(self, model: Model) -> list[str]:
        """The values that the model's headers and proxy refer to."""
        texts = [*model.headers.values(), model.proxy or ""]
        return [self.variable(name) for text in texts for name in _REFERENCE.findall(text)]

    def _check(self, names: list[str], url: str) -> None:
        if names:
            recorded = trust.recorded(self.trust_store)
            for name in names:
                trust.check(name, url, recorded)

    def variable(self, name: str) -> str:
        """The value of a variable that somebody has named. Raises ``UsageError`` where it is not set."""
        value = self.variables.get(name, "").strip()
        if not value:
            raise UsageError(f"the environment variable {name} is named but not set")
        if not value.isprintable():
            raise UsageError(f"the environment variable {name} holds a line break or a control character")
        return value
