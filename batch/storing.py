"""Writing results so that one which has no form in JSON costs no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.errors import UnencodableError
from batch.results import result_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.protocols import Sink
    from batch.records import Result


async def stored(sink: Sink, results: Sequence[Result]) -> Sequence[Result]:
    """Write the results, and return them as they were written: what has no form in JSON is a failure.

    Raises ``OutputWriteError``.
    """
    try:
        await sink.write(results)
    except UnencodableError as error:
        results = result_line.encodable(results, error.why)
        await sink.write(results)
    return results
