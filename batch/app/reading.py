"""Reading results for a person who has asked for them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from batch.errors import UsageError
from batch.results.filesystem import reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def reading(output: Path) -> Iterator[None]:
    """Say by a ``UsageError`` that ``output`` cannot be read, where an ``OSError`` does."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{output} cannot be read: {reason(error)}") from error
