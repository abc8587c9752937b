"""The prompts of a job before targets are assigned: rows filled into prompts, or the rows of a JSONL job.

A draft becomes one request for each of its targets.
"""

from __future__ import annotations

from itertools import chain, count, product
from typing import TYPE_CHECKING

from msgspec import Struct

from batch.diagnostics import diagnostic_at, shown
from batch.errors import Diagnostic
from batch.inputs.bad_rows import place_of, without_repeats
from batch.inputs.combinations import Combination, named
from batch.inputs.identity import digest
from batch.inputs.images import ImageError, with_images
from batch.inputs.readers.all_rows import read_rows
from batch.inputs.readers.row import SKIPS_EMPTY, BadDraft, BadRow, Caution, Note, Row
from batch.inputs.render import EmptyPromptError, PromptTemplate, RenderError
from batch.inputs.template_faults import located
from batch.inputs.template_variables import unused
from batch.jobfile.job import DOCUMENTS
from batch.jobfile.syntax.job_rows import JobRow, job_rows
from batch.jobfile.syntax.json_lines import objects
from batch.jobfile.targets import targets_of
from batch.records import JSONObject  # noqa: TC001 - msgspec reads it

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence
    from pathlib import Path

    from batch.inputs.readers.row import Read
    from batch.jobfile import JobFile, Model, Prompt


class Draft(Struct, frozen=True, gc=False):
    """One filled prompt. ``targets`` are indexes of the job's models.

    ``stem`` holds the parts of its id that come before the model's: those of its row and of its prompt. It is
    ``None`` if the row has no id, so that the id depends on the content alone. ``variant`` holds the parts
    after the model's, from the matrix. ``number`` is its position in the job, the same at every reading while
    the inputs do not change. ``variables`` are those of its row.
    """

    stem: tuple[str, ...] | None
    variant: tuple[str, ...]
    messages: tuple[JSONObject, ...]
    params: JSONObject
    metadata: JSONObject
    targets: Sequence[int]
    path: str
    line: int
    number: int
    variables: JSONObject = {}


def drafts(
    job: JobFile, marks: Container[int] | None = None
) -> Iterator[Draft | BadRow | Diagnostic | Note | Caution | None]:
    """Yield all drafts of the job in its order: by row, by prompt, and by combination of the matrix.

    ``marks`` are the numbers of the requested ones; ``None`` is yielded for each other, which is cheaper:
    nothing is rendered.
    """
    if job.rows is not None:
        return _from_job_rows(job, job.rows, marks)
    return _from_prompts(job, marks)


def _from_job_rows(
    job: JobFile, path: Path, marks: Container[int] | None
) -> Iterator[Draft | BadRow | Diagnostic | None]:
    positions = {model.id: index for index, model in enumerate(job.models)}
    for row in job_rows(path, job.system, marks):
        if row is None or isinstance(row, Diagnostic):
            yield row
            continue
        names = job.default_targets if row.model is None else _ids(targets_of(row.model, job.models))
        targets = [positions[name] for name in names]
        if not targets:
            what = "a model that was not in the file when the job was read"
            yield Diagnostic(str(path), row.line, 1, "model", what, "the file has changed; start again")
        stem = None if row.id is None else (row.id,)
        try:
            messages = with_images(row.messages, row.images, job.bounds) if row.images else row.messages
        except ImageError as error:
            diagnostic = Diagnostic(str(path), row.line, 1, f"images[{error.index}]", error.what, error.hint)
            yield BadDraft(diagnostic, row.id, stem, (), targets)
            continue
        yield Draft(stem, (), messages, row.params, row.metadata, targets, str(path), row.line, row.line)


def _ids(models: Sequence[Model]) -> tuple[str, ...]:
    return tuple(model.id for model in models)


def _from_prompts(
    job: JobFile, marks: Container[int] | None
) -> Iterator[Draft | BadRow | Diagnostic | Note | Caution | None]:
    numbers = count()
    on_empty = "error" if job.inputs is None else job.inputs.on_empty
    sends_empty = on_empty == "send"
    templates = [PromptTemplate(prompt, job.bounds, sends_empty=sends_empty) for prompt in job.prompts]
    names = [(name,) if name else () for name in prompt_names(job.prompts)]
    prompts = zip(templates, names, strict=True)
    targets = range(len(job.models))
    forms = [_Form(*prompt, each, targets) for prompt, each in product(prompts, named(job.matrix))]
    variables = frozenset(name for each in job.matrix for name in each)
    for row in _with_notes(job, _input_rows(job)):
        if not isinstance(row, Row):
            if isinstance(row, BadRow):  # the following rows keep their numbers
                for _ in forms:
                    next(numbers)
            yield row
        elif variables and (clash := variables & row.variables.keys()):
            yield _name_clash(min(clash), job, row)
            return
        else:
            for form in forms:
                number = next(numbers)
                if marks is not None and number not in marks:
                    yield None
                    continue
                try:
                    yield form.filled(row, number)
                except RenderError as error:
                    if on_empty == "skip" and isinstance(error, EmptyPromptError):
                        yield Note(row.path, SKIPS_EMPTY)
                        yield None
                    else:
                        yield form.unfilled(row, error)


def _with_notes(job: JobFile, rows: Iterator[Read]) -> Iterator[Read | Caution]:
    """Yield the rows, and before the first one warnings about its variables that no prompt uses."""
    for row in rows:
        if isinstance(row, Row):
            yield from map(Caution, unused(job, row))
            yield row
            break
        yield row
    yield from rows


def _name_clash(name: str, job: JobFile, row: Row) -> Diagnostic:
    what = f"`{shown(name)}` is both a matrix variable and a column"
    place = job.matrix_places.get(name, row.place)
    return diagnostic_at(place, f"matrix.{shown(name)}", what, "rename one")


class _Form(Struct, frozen=True):
    """One way to fill a row: a prompt, its part of an id, and a combination of the matrix."""

    template: PromptTemplate
    name: tuple[str, ...]
    combination: Combination
    targets: Sequence[int]

    def filled(self, row: Row, number: int) -> Draft:
        """Return the draft of a row. Raises ``RenderError``."""
        variables, metadata = row.variables, row.metadata
        if matrix := self.combination.variables:
            variables, metadata = {**variables, **matrix}, {**metadata, "matrix": matrix}
        return Draft(
            self._stem(row),
            self.combination.parts,
            self.template.render(variables),
            self.template.prompt.params,
            metadata,
            self.targets,
            row.path,
            row.line,
            number,
            row.variables,
        )

    def unfilled(self, row: Row, error: RenderError) -> BadDraft:
        """Return the row with the error that filling it raised."""
        diagnostic = row.diagnostic(self.template.prompt.where, error.what, error.hint)
        if error.at:
            diagnostic = located(diagnostic, error.at)
        row_name = place_of(diagnostic) if row.id is None else row.id
        bad_id = "/".join((row_name, *self.name, *self.combination.parts))
        return BadDraft(diagnostic, bad_id, self._stem(row), self.combination.parts, self.targets)

    def _stem(self, row: Row) -> tuple[str, ...] | None:
        """Return the parts of an id that a row and a prompt contribute; ``None`` for a row without an id."""
        if row.id:
            return (row.id, *self.name)
        return None if row.id is None else self.name


def _input_rows(job: JobFile) -> Iterator[Read]:
    """Yield the rows of the job's inputs; without inputs a single empty one, whose id has no parts."""
    if job.inputs is not None:
        rows = read_rows(job.inputs, job.output, _taken_documents(job))
        return without_repeats(rows) if job.inputs.skips else rows
    line = job.prompts[0].line if job.prompts else 0
    return iter([Row("", {}, {}, str(job.path), line)])


def _taken_documents(job: JobFile) -> Callable[[str], bool] | None:
    """Return which documents a shard has to read; ``None``: all.

    Where each document is one request, the id of the document is that of the request.
    """
    forms = len(job.prompts) * max(len(job.matrix), 1) * len(job.models) * job.samples
    if job.shard is None or job.inputs is None or job.inputs.split is not None or forms > 1:
        return None
    return job.shard.takes


def suffixes(job: JobFile) -> Iterator[tuple[str, ...]]:
    """Yield what may follow a row's id in the ids of its requests, without the sample."""
    models = [(model.id,) for model in job.models]
    if job.rows is not None:
        yield from [(), *models] if len(models) > 1 else [()]
        return
    names = [(name,) if name else () for name in prompt_names(job.prompts)]
    for name, model, each in product(names, models if len(models) > 1 else [()], named(job.matrix)):
        yield (*name, *model, *each.parts)


def reads_apart(job: JobFile) -> bool:
    """Return whether all ``suffixes`` have the same number of parts, and none of these contains a ``/``."""
    variants = [each.parts for each in named(job.matrix)]
    parts = [*prompt_names(job.prompts), *(model.id for model in job.models), *chain.from_iterable(variants)]
    lengths = set(map(len, variants))
    return job.rows is None and len(lengths) == 1 and not any("/" in each for each in parts)


def row_ids(job: JobFile) -> Iterator[tuple[str, Sequence[tuple[str, ...]] | None]]:
    """Yield ids of rows that may look like a request's id, with suffixes; ``None``: all ``suffixes``."""
    if job.rows is not None:
        # A composed id has a `/`, so most ids need no look at the whole row.
        composed = {
            number
            for number, _, value in objects(job.rows)
            if isinstance(value, dict) and "/" in str(value.get("id", value.get("custom_id", "")))
        }
        for row in job_rows(job.rows, job.system, composed) if composed else ():
            if isinstance(row, JobRow) and row.id is not None:
                names = job.default_targets if row.model is None else _ids(targets_of(row.model, job.models))
                yield row.id, [(name,) for name in names] if len(names) > 1 else [()]
    elif job.inputs is not None and not (job.inputs.kind == DOCUMENTS and len(job.inputs.files) == 1):
        # In one folder, no document has the name of a subfolder.
        for read in read_rows(job.inputs, job.output):
            if isinstance(read, Row) and read.id is not None:
                yield read.id, None


def prompt_names(prompts: Sequence[Prompt]) -> list[str]:
    """Return each prompt's part of an id: its own id, or a digest; none for a single prompt."""
    if len(prompts) == 1:
        return [""]
    return [prompt.id if prompt.id is not None else _content_name(prompt) for prompt in prompts]


def _content_name(prompt: Prompt) -> str:
    chat = [(message.role, message.content) for message in prompt.messages]
    return digest((chat, prompt.params, prompt.images) if prompt.images else (chat, prompt.params))[:8]
