"""Export the results of a job or of a file as a data set, a table, or OpenAI Batch lines."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from secrets import token_hex
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from msgspec.structs import replace

from batch.app.run.plan import open_source
from batch.app.setup.reclassified import restate_of
from batch.errors import OutputWriteError, UsageError
from batch.inputs.readers.table_files import Table, tables
from batch.jobfile.job import DOCUMENTS
from batch.jobfile.paths import real
from batch.results.contents import holds_results
from batch.results.export.protocol import NotTextError
from batch.results.export.registry import format_of
from batch.results.filesystem import reason
from batch.results.reader import ResultReader, reading
from batch.results.reclassification import WITHOUT_JOB

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from batch.jobfile.job import JobFile
    from batch.records import JSONObject, Result
    from batch.results.export.protocol import ExportFormat, Write

    Answer: TypeAlias = tuple[Result, Sequence[JSONObject] | None]

NO_MESSAGES = "without their messages"
_HOW_TO_GET_THEM = (
    "the lines do not contain the messages that were sent; use the job file instead of the output, or set "
    "`output: {include: [messages]}` in it before the run"
)


@dataclass(slots=True)
class Exported:
    """The number of results that were written, and of those that were omitted, by reason."""

    written: int = 0
    for_test: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


class Exporter:
    """Writes answers in one format; with ``keep_failed`` also failed ones, if the format supports that.

    ``test_share`` of the answers goes to a second file. Raises ``UsageError`` for an unknown format.
    """

    def __init__(self, form: str, *, keep_failed: bool = False, test_share: float = 0.0) -> None:
        self._format = format_of(form)
        self._keep_failed = keep_failed and not self._format.NEEDS_MESSAGES
        self._test_share = test_share
        self.exported = Exported()

    def to_stream(self, answers: Iterator[Answer], stream: BinaryIO) -> None:
        """Write all answers to a stream. Raises ``UsageError`` if none can be written, and ``OSError``."""
        with self._format.writer(stream) as write:
            self._write_answers(answers, write, write)
        stream.flush()

    def to_file(self, answers: Iterator[Answer], path: Path, read: Collection[Path] = ()) -> list[Path]:
        """Write the answers to one file, or to two if a share is for testing; each appears when complete.

        ``read`` are the files that the answers come from. Raises ``UsageError`` if no answer can be written,
        or if a result file or one of ``read`` would be replaced; and ``OutputWriteError``.
        """
        names = [path]
        if self._test_share:
            names = [path.with_name(f"{path.stem}.{part}{path.suffix}") for part in ("train", "test")]
        for name in names:
            _check_replaceable(name, read)
        try:
            with ExitStack() as stack:
                writes = [stack.enter_context(_file_writer(self._format, name)) for name in names]
                self._write_answers(answers, writes[0], writes[-1])
        except OSError as error:
            raise OutputWriteError(f"{path} could not be written: {reason(error)}") from error
        return names

    def _write_answers(self, answers: Iterator[Answer], train: Write, test: Write) -> None:
        done = self.exported
        for result, messages in answers:
            if why := self._why_not(result, messages):
                done.left_out[why] += 1
                continue
            for_test = is_for_test(result.id, self._test_share)
            try:
                (test if for_test else train)(result, messages or ())
            except NotTextError:
                done.left_out["of more or less than text"] += 1
            else:
                done.written += 1
                done.for_test += for_test
        if not done.written and done.left_out[NO_MESSAGES]:
            raise UsageError(_HOW_TO_GET_THEM)

    def _why_not(self, result: Result, messages: Sequence[JSONObject] | None) -> str:
        if result.status == "failed" and not self._keep_failed:
            return "failed"
        return NO_MESSAGES if messages is None and self._format.NEEDS_MESSAGES else ""

    def of_output(self, output: Path) -> Iterator[Answer]:
        """Return the results of a file, in its order. Raises ``UsageError`` if it cannot be read."""
        with reading(output), ResultReader(output, WITHOUT_JOB) as lines:
            for result in lines.results():
                yield result, result.messages

    def of_job(self, job: JobFile) -> Iterator[Answer]:
        """Yield the results of a job's requests, in the job's order, each with the messages that it answers.

        The metadata are the job's: correcting a label requires no new answer.

        Raises ``JobFileError``, and ``UsageError`` if the output cannot be read.
        """
        with reading(job.output), ResultReader(job.output, restate_of(job)) as lines:
            for request in open_source(job).requests():
                result = lines.result(request.id)
                if result is None:
                    self.exported.left_out["pending"] += 1
                elif result.fingerprint != request.fingerprint:
                    self.exported.left_out["stale"] += 1
                else:
                    yield replace(result, metadata=request.metadata), request.messages


def sources(job: JobFile) -> list[Path]:
    """Return the files that a job's answers come from, except documents."""
    files = [path for path in (job.path, job.output, job.rows) if path]
    if job.inputs is not None and job.inputs.kind != DOCUMENTS:
        found = tables(job.inputs, job.output)
        files += [table.path for table in found if isinstance(table, Table)]
    return files


def _check_replaceable(path: Path, read: Collection[Path]) -> None:
    """Raise ``UsageError`` unless ``path`` is free, or a file that may be replaced."""
    if any(real(path) == real(source) for source in read):
        raise UsageError(f"{path} is read by this export and would be overwritten")
    if os.path.exists(path) and not os.path.isfile(path):
        raise UsageError(f"{path} is not a regular file; name another one")
    with reading(path):
        if os.path.isfile(path) and holds_results(path):
            raise UsageError(f"{path} holds results, which would be lost; name another file")


@contextmanager
def _file_writer(form: ExportFormat, path: Path) -> Iterator[Write]:
    """Open a new file, which replaces ``path`` when it is complete."""
    path = real(path)  # replacing a symbolic link would not change the file that it points to
    part = path.with_name(f"{path.name}.{token_hex(4)}.part")  # the plain name may be a file of the user
    with part.open("xb") as stream:
        try:
            with form.writer(stream) as write:
                yield write
            stream.close()
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


def is_for_test(request_id: str, share: float) -> bool:
    """Whether a result belongs to the part for testing: by its id alone, so that it stays where it is."""
    digest = blake2b(request_id.encode(), digest_size=8, person=b"split").digest()
    return int.from_bytes(digest) < share * 2**64
