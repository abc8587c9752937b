"""The interface of a reader: one format of files whose rows fill prompts.

A reader is a module that has the members of ``Reader``, one line in ``registry``, and a key in
``jobfile.schema.inputs_spec``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch.inputs.readers.row import Read
    from batch.jobfile import Inputs


class Reader(Protocol):
    """The members that a reader's module must have."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a constant of the module, as are the next ones
        """The key of ``inputs`` that names such files, and the reader's name in the registry."""

    @property
    def ENDINGS(self) -> tuple[str, ...]:  # noqa: N802
        """What the names of such files end in, in lower case: these are read where a folder is named."""

    @property
    def HAS_HEADER(self) -> bool:  # noqa: N802
        """Whether all rows of a file have the columns of the first one."""

    def rows(self, path: Path, inputs: Inputs, *, may_be_empty: bool) -> Iterator[Read]:
        """Yield the rows of a file in their order, lazily.

        Raise nothing because of the file: what is wrong with a row is a ``BadRow``, and with the whole file a
        ``Diagnostic``. A file without rows is one unless it ``may_be_empty``. The file may be read often, and
        must give the same rows each time.
        """
