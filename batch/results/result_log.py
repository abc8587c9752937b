"""The result log: the output file while a run writes to it.

Rules, each with its test:

1. A line counts once ``write`` has returned. It then survives a power failure (``fsync``) or at least the
   death of this process (``flush``).
2. The file is created in one step, with its first lines in it. A first line that is not a result
   therefore means that another program owns the file; it is not changed.
3. A failed write is truncated, and the log accepts no more results.
4. Opening repairs what a crash can leave (``results.repair``). A partial last line is removed. Unreadable
   lines before it move to ``<output>.corrupt``; a power failure that reorders writes can leave them. Their
   requests are sent again. The remaining lines are made durable first, because they are not requested again.
5. Of several lines with one id, the last one counts. ``finish`` removes the others and sorts the lines as
   requested; it rewrites nothing if the file is already in this state.
6. Written content is only ever replaced as a whole, in one step.
7. If another program changes, moves, removes or replaces the file, the log accepts no more results, so that
   no result counts that is not in the file.
8. On request, ``finish`` first makes the succeeded results that it removes durable in
   ``<output>.superseded.jsonl`` (``results.superseded``).
9. A file with a line of a newer schema version is not changed. Changed line ends, a byte order mark or a
   missing last line end lose nothing.
"""

from __future__ import annotations

import os
from array import array
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import anyio
import anyio.to_thread
from anyio.from_thread import check_cancelled

from batch.codec import decode_result, encode_results, known
from batch.errors import ForeignOutputError, OutputWriteError
from batch.results.compaction import arranged
from batch.results.contents import Contents
from batch.results.filesystem import Disk, reason, replace_content, temporary_name, write_all
from batch.results.repair import Repairer, corrupt_path
from batch.results.superseded import clear_superseded, set_aside, superseded_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType

    from batch.records import Known, Result
    from batch.results.compaction import Order
    from batch.results.filesystem import FileSystem
    from batch.results.reclassification import Restate

_BATCH = 1000
"""Number of lines that are rewritten at once."""

Durability = Literal["fsync", "flush"]


class ResultLog:
    """A ``Sink`` that appends to one file; for one writer, which holds the lock of the output.

    ``kept`` counts the superseded results that ``finish`` has moved to ``<output>.superseded.jsonl``.
    """

    def __init__(
        self, path: Path, files: FileSystem, durability: Durability, restate: Restate | None = None
    ) -> None:
        self.path = path
        self.kept = 0
        self._contents = Contents()
        self._files = files
        self._durability = durability
        self._restate = restate
        self._repairer = Repairer(files, path, restate)
        self._repeated = 0  # bytes of superseded results in the file when it was opened
        self._descriptor: int | None = None
        self._closed_because: str | None = None
        self._writing = anyio.ResourceGuard("writing to")

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        durability: Durability = "fsync",
        files: FileSystem | None = None,
        each: Callable[[Result], None] | None = None,
        restate: Restate | None = None,
    ) -> ResultLog:
        """Read and repair the file if it exists; else the first write creates it.

        ``each`` is called with each existing result; an exception from it ends the reading before any repair.
        ``restate`` translates results that an older version has written.
        Raises ``ForeignOutputError`` for a file of another program or of a newer version of this one, which
        is not changed. Raises ``OutputWriteError`` if the file cannot be read, repaired or written.
        """
        path = Path(os.path.realpath(path))  # replacing a symbolic link would not change its target
        log = cls(path, files or Disk(), durability, restate)
        try:
            log._load(each)
        except OSError as error:
            log.close()
            raise OutputWriteError(f"{path} cannot be opened: {error}") from error
        return log

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def notices(self) -> list[str]:
        """Notices to the user about repairs made when the file was opened."""
        return self._repairer.notices

    @property
    def contents(self) -> Contents:
        """The lines that count so far; read-only."""
        return self._contents

    def known(self, request_id: str) -> Known | None:
        """Return what the latest line of this id says; ``None`` if there is no line."""
        return self._contents.index.get(request_id)

    async def write(self, results: Sequence[Result]) -> None:
        """Append the results as lines and return once they count.

        Raises ``OutputWriteError`` if the write fails; earlier results stay, and the log accepts no more.
        Raises ``UnencodableError``, and writes none of them, if some cannot be encoded as JSON. A
        cancellation waits until the write has ended.
        """
        if not results:
            return
        lines = encode_results(results)
        with self._writing:
            await anyio.to_thread.run_sync(self._append, b"".join(lines))
            for result, line in zip(results, lines, strict=True):
                self._contents.add(result.id, known(result), len(line))

    @property
    def is_restated(self) -> bool:
        """Whether ``write_restated`` has anything to write."""
        return next(self._contents.index.to_rewrite(), None) is not None

    async def write_restated(self) -> int:
        """Append a new line for each result that ``restate`` changes and that needs no request.

        Return their number. Raises ``OutputWriteError``.
        """
        numbers = list(self._contents.index.to_rewrite())
        written = 0
        for start in range(0, len(numbers), _BATCH):
            some = numbers[start : start + _BATCH]
            results = await anyio.to_thread.run_sync(self._restated, some)
            await self.write(results)
            written += len(results)
        return written

    def _restated(self, numbers: Sequence[int]) -> list[Result]:
        if self._restate is None:
            return []
        try:
            with self._files.open_read(self.path) as stream:
                lines = list(self._contents.lines(stream, numbers))
        except OSError as error:
            raise OutputWriteError(f"{self.path} cannot be read: {error}") from error
        return [self._restate(decode_result(line)) for line in lines]

    async def finish(
        self,
        job: Iterable[str] = (),
        *,
        order: Order = "completion",
        prune: bool = False,
        keep: bool = False,
    ) -> None:
        """Reduce the file to the latest line of each id, in the requested order; then close the log.

        ``job`` are the ids of the job's requests in job order; they are read in a worker thread and only if
        they are needed. Lines of other ids stay, unless ``prune`` is set; ``prune`` also removes the sidecar
        files of earlier runs. ``keep`` moves removed succeeded results to ``<output>.superseded.jsonl``.

        Raises ``OutputWriteError``, and what reading ``job`` raises; the file then keeps all its lines. After
        a cancellation the file has either all its lines or the finished content.
        """
        with self._writing:
            await anyio.to_thread.run_sync(partial(self._rearrange, job, order, prune, keep))
            self.close()

    def close(self) -> None:
        """Close the file as it is. Written results stay; the log accepts no more."""
        self._closed_because = self._closed_because or "the log is closed"
        if self._descriptor is not None:
            self._files.close(self._descriptor)
            self._descriptor = None

    def _load(self, each: Callable[[Result], None] | None) -> None:
        self._files.make_directories(self.path.parent)
        self._contents = self._repairer.read(each)
        self._files.remove(temporary_name(superseded_path(self.path)))  # left by a killed run
        if self._contents.index.superseded:
            self._repeated = self._contents.size_of(self._contents.index.superseded_answers())
        if self._contents.length:
            self._descriptor = self._open_append()
            self._make_durable(self._descriptor)

    def _open_append(self) -> int:
        return self._files.open_append(self.path, like=self.path)

    def _make_durable(self, descriptor: int) -> None:
        """Sync the existing lines: they count as done, but a killed run may not have synced them."""
        if self._durability == "fsync":
            self._files.sync(descriptor)
            self._files.sync_directory(self.path.parent)

    def _append(self, data: bytes) -> None:
        if self._closed_because:
            raise OutputWriteError(f"{self.path} accepts no more results: {self._closed_because}")
        self._check_unchanged()
        try:
            if self._descriptor is None:
                replace_content(self._files, self.path, [data])
                self._descriptor = self._open_append()
            else:
                self._append_to(self._descriptor, data)
        except OSError as error:
            self._cut_back(error)
            raise OutputWriteError(f"results could not be written to {self.path}: {reason(error)}") from error

    def _check_unchanged(self) -> None:
        """Raise ``OutputWriteError`` unless the path leads to the open file with the expected length.

        Otherwise lines would be appended to a file that no path leads to, or another program's data might be
        truncated. A copy of the same length in its place is not the open file.
        """
        try:
            there = self._files.state(self.path)
            ours = there if self._descriptor is None else self._files.state(self._descriptor)
        except OSError:
            return  # the next operation on the file reports the error
        size = 0 if there is None else there.size
        if there == ours and size == self._contents.length:
            return
        self._closed_because = "another program has changed, moved or removed it"
        raise OutputWriteError(f"results could not be written to {self.path}: {self._closed_because}")

    def _append_to(self, descriptor: int, data: bytes) -> None:
        write_all(self._files, descriptor, data)
        if self._durability == "fsync":
            self._files.sync(descriptor)

    def _cut_back(self, error: OSError) -> None:
        """Truncate the file to its acknowledged length if possible, and accept no more results.

        After a failed sync, the system may report success for pages that it has dropped; so a run does not
        try again. If the truncation fails as well, the next opening repairs the file.
        """
        self._closed_because = str(error)
        if self._descriptor is not None:
            with suppress(OSError):
                self._files.truncate(self._descriptor, self._contents.length)
                self._files.sync(self._descriptor)

    def _rearrange(self, job: Iterable[str], order: Order, prune: bool, keep: bool) -> None:
        if self._closed_because:
            return
        self._check_unchanged()
        numbers = arranged(self._contents, job, order=order, prune=prune)
        try:
            if numbers is not None:
                if keep:
                    self._set_aside(afresh=prune)
                self._repairer.rewrite(self._contents, _while_wanted(numbers))
            if prune:
                self._clear_sidecars()
        except (OSError, ForeignOutputError) as error:
            raise OutputWriteError(f"{self.path} could not be put in order: {reason(error)}") from error

    def _set_aside(self, *, afresh: bool) -> None:
        """Copy superseded succeeded results to the sidecar file before they are removed."""
        contents = self._contents
        numbers = array("I", contents.index.superseded_answers())
        if not numbers:
            return
        with self._files.open_read(self.path) as stream:
            lines = contents.lines(stream, _while_wanted(numbers))
            set_aside(self._files, self.path, lines, repeated=self._repeated, afresh=afresh)
        self.kept = len(numbers)

    def _clear_sidecars(self) -> None:
        """Remove the sidecar files of earlier runs; those of this run stay until the next one."""
        if not self.kept:
            clear_superseded(self._files, self.path)
        if not self._repairer.has_quarantined:
            self._files.remove(corrupt_path(self.path))


def _while_wanted(numbers: Iterable[int]) -> Iterator[int]:
    """Yield the numbers; raise the cancellation of this worker thread's call."""
    for number in numbers:
        check_cancelled()
        yield number
