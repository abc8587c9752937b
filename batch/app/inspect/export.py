"""Export the results of a job or of a file as a data set, a table, or OpenAI Batch lines."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from secrets import token_hex
from typing import TYPE_CHECKING, BinaryIO

from batch.app.inspect.export_sources import answers_in, answers_of
from batch.errors import OutputWriteError, UsageError
from batch.jobfile.paths import real
from batch.results.contents import holds_results
from batch.results.export.columns import DEFAULT, Columns
from batch.results.export.protocol import COLUMNS, REASONING, Layout, NotTextError
from batch.results.export.registry import MODULES, format_of
from batch.results.filesystem import reason
from batch.results.reader import reading

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from batch.app.inspect.export_sources import Answers
    from batch.jobfile.job import JobFile
    from batch.results.export.protocol import Answer, ExportFormat, Write

NO_MESSAGES = "without their messages"
_HOW_TO_GET_THEM = (
    "the lines do not contain the messages that were sent; use the job file instead of the output, or set "
    "`output: {include: [messages]}` in it before the run"
)


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What is exported of the answers.

    ``columns`` are names of columns, separated by commas; ``None``: the default ones. ``test_share`` of the
    answers goes to a second file.
    """

    columns: str | None = None
    reasoning: bool = False
    keep_failed: bool = False
    test_share: float = 0.0


@dataclass(slots=True)
class Exported:
    """The number of results that were written, and of those that were omitted, by reason.

    ``relabelled`` of them were written with other metadata than they were answered with.
    """

    written: int = 0
    for_test: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    relabelled: int = 0


class Exporter:
    """Writes answers in one format. Failed ones are written only if the format supports that.

    Raises ``UsageError`` for an unknown format, and for an option that the format does not take.
    """

    def __init__(self, form: str, options: ExportOptions | None = None) -> None:
        self._format = format_of(form)
        self._options = options or ExportOptions()
        if self._options.columns is not None:
            self._check_takes(COLUMNS)
        if self._options.reasoning:
            self._check_takes(REASONING)
        self._keep_failed = self._options.keep_failed and not self._format.NEEDS_MESSAGES
        self._is_table = COLUMNS in self._format.TAKES
        self.exported = Exported()

    def _check_takes(self, flag: str) -> None:
        if flag not in self._format.TAKES:
            able = [name for name in MODULES if flag in format_of(name).TAKES]
            raise UsageError(f"{flag} is for --format {' and '.join(able)}, not for {self._format.NAME}")

    def to_stream(self, source: AbstractContextManager[Answers], stream: BinaryIO) -> None:
        """Write all answers to a stream. Raises ``UsageError`` if none can be written, and ``OSError``."""
        with source as answers:
            with self._format.writer(stream, self._layout(answers)) as write:
                self._write_answers(answers.stream, write, write)
            stream.flush()

    def to_file(
        self, source: AbstractContextManager[Answers], path: Path, read: Collection[Path] = ()
    ) -> list[Path]:
        """Write the answers to one file, or to two if a share is for testing; each appears when complete.

        ``read`` are the files that the answers come from. Raises ``UsageError`` if no answer can be written,
        or if a result file or one of ``read`` would be replaced; and ``OutputWriteError``.
        """
        names = [path]
        if self._options.test_share:
            names = [path.with_name(f"{path.stem}.{part}{path.suffix}") for part in ("train", "test")]
        for name in names:
            _check_replaceable(name, read)
        with source as answers:
            layout = self._layout(answers)
            try:
                with ExitStack() as stack:
                    writes = [stack.enter_context(_file_writer(self._format, layout, name)) for name in names]
                    self._write_answers(answers.stream, writes[0], writes[-1])
            except OSError as error:
                raise OutputWriteError(f"{path} could not be written: {reason(error)}") from error
        return names

    def _layout(self, answers: Answers) -> Layout:
        if not self._is_table:
            return Layout(reasoning=self._options.reasoning, tool_calls=answers.tool_calls)
        columns = Columns(answers.fields, answers.currency, failed=self._keep_failed)
        names = DEFAULT if self._options.columns is None else self._options.columns
        return Layout(columns.chosen(names))

    def _write_answers(self, answers: Iterator[Answer], train: Write, test: Write) -> None:
        done = self.exported
        for answer in answers:
            if why := self._why_not(answer):
                done.left_out[why] += 1
                continue
            for_test = is_for_test(answer.result.id, self._options.test_share)
            try:
                (test if for_test else train)(answer)
            except NotTextError:
                done.left_out["of more or less than text"] += 1
            else:
                done.written += 1
                done.for_test += for_test
                done.relabelled += answer.relabelled and self._is_table
        if not done.written and done.left_out[NO_MESSAGES]:
            raise UsageError(_HOW_TO_GET_THEM)

    def _why_not(self, answer: Answer) -> str:
        if answer.result.status == "failed" and not self._keep_failed:
            return "failed"
        return NO_MESSAGES if answer.messages is None and self._format.NEEDS_MESSAGES else ""

    def of_output(self, output: Path) -> AbstractContextManager[Answers]:
        """Open the results of a file, in its order. Raises ``UsageError`` if it cannot be read."""
        return answers_in(output, as_table=self._is_table)

    def of_job(self, job: JobFile) -> AbstractContextManager[Answers]:
        """Open the results of a job's requests, in the job's order, each with the messages that it answers.

        Raises ``JobFileError``, and ``UsageError`` if the output cannot be read.
        """
        return answers_of(job, self.exported.left_out, as_table=self._is_table)


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
def _file_writer(form: ExportFormat, layout: Layout, path: Path) -> Iterator[Write]:
    """Open a new file, which replaces ``path`` when it is complete."""
    path = real(path)  # replacing a symbolic link would not change the file that it points to
    part = path.with_name(f"{path.name}.{token_hex(4)}.part")  # the plain name may be a file of the user
    with part.open("xb") as stream:
        try:
            with form.writer(stream, layout) as write:
                yield write
            stream.close()
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


def is_for_test(request_id: str, share: float) -> bool:
    """Whether a result belongs to the part for testing: by its id alone, so that it stays where it is."""
    digest = blake2b(request_id.encode(), digest_size=8, person=b"split").digest()
    return int.from_bytes(digest) < share * 2**64
