"""Reading a key from an environment variable or from a file of its own. Errors repeat nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.errors import KeyFileError, VariableError
from batch.files import open_regular, reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MAX_KEY = 64 * 1024


def variable(name: str, variables: Mapping[str, str]) -> str:
    """Return the value of a variable. Raises ``VariableError`` unless it is one line."""
    value = variables.get(name, "").strip()
    if not value:
        raise VariableError(name, "is not set")
    if not value.isprintable():
        raise VariableError(name, "holds a line break or a control character")
    return value


def key_file(path: Path) -> str:
    """Return the only line of a key file. Raises ``KeyFileError``."""
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
