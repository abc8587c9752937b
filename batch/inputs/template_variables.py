"""Which variables prompts use, compared with those that the inputs have.

A prompt that uses none asks the same for every row; one that requires a variable which no row has can never
be filled.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batch.diagnostics import did_you_mean, shown
from batch.errors import Diagnostic
from batch.inputs.readers.all_rows import read_rows
from batch.inputs.readers.documents import VARIABLES
from batch.inputs.readers.row import BadRow, Note, Row
from batch.jobfile.job import DOCUMENTS
from batch.jobfile.templates import names_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from batch.inputs.readers.row import Read
    from batch.jobfile import JobFile, Prompt

_BRACES = re.compile(r"(?<!\{)(\$?\{ ?([^\W\d]\w*) ?\})(?!\})")
_MOST_READ = 100
"""Bad rows to read before the first good one."""


def unused(job: JobFile, row: Row) -> Iterator[Note]:
    """Yield a note for each prompt that uses no variable of its inputs, or writes one in other braces."""
    known = _with_matrix(job, row.variables)
    if not known:
        return
    for prompt in job.prompts:
        texts = _texts(prompt)
        used = frozenset[str]().union(*(names_in(text)[0] for text in texts))
        braces = {name: written for text in texts for written, name in _BRACES.findall(text)}
        meant = next((name for name in braces if name in known), None)
        place = f"{job.path}:{prompt.line}:{prompt.column}:" if prompt.line else str(job.path)
        if meant is not None:
            what = f"`{braces[meant]}` is sent as it stands; write `{{{{ {meant} }}}}` for the variable"
            yield Note(place, f"{prompt.where}: {what}")
        elif not used:
            hint = ", ".join(f"`{{{{ {shown(name)} }}}}`" for name in sorted(known)[:3])
            what = f"uses no variable, so it is the same for every row; it can use {hint}"
            yield Note(place, f"{prompt.where}: {what}")


def unknown(job: JobFile, variables: Collection[str]) -> Iterator[Diagnostic]:
    """Yield an error for each variable that a prompt requires and that neither inputs nor matrix have."""
    known = _with_matrix(job, variables)
    for prompt in job.prompts:
        required = frozenset[str]().union(*(names_in(text)[1] for text in _texts(prompt)))
        for name in sorted(required - known):
            hint = did_you_mean(name, known) or (f"it has {', '.join(sorted(known)[:20])}" if known else "")
            what = f"no variable `{shown(name)}` for the prompt"
            yield Diagnostic(str(job.path), prompt.line, prompt.column, prompt.where, what, hint)


def unknown_in_documents(job: JobFile) -> Iterator[Diagnostic]:
    """Yield the same for a job whose documents were not found: what a document has is always known."""
    if job.inputs is not None and job.inputs.kind == DOCUMENTS:
        yield from unknown(job, VARIABLES)


def further_errors(job: JobFile, *, reads_inputs: bool) -> Iterator[Diagnostic]:
    """Yield the errors in the inputs and prompts of a job whose file has other errors.

    The inputs are read up to their first good row, which has the variables; not without ``reads_inputs``.
    """
    if job.rows is not None:
        return
    if job.inputs is None:
        yield from unknown(job, ())
        return
    for number, item in enumerate(_rows(job) if reads_inputs else ()):
        if isinstance(item, Row):
            yield from unknown(job, item.variables)
            return
        if number >= _MOST_READ:
            return
        if not isinstance(item, Note) and not (job.inputs.skips and isinstance(item, BadRow)):
            yield item.diagnostic if isinstance(item, BadRow) else item
    yield from unknown_in_documents(job)


def _rows(job: JobFile) -> Iterator[Read]:
    return iter(()) if job.inputs is None else read_rows(job.inputs, job.output)


def _texts(prompt: Prompt) -> list[str]:
    return [*(message.content for message in prompt.messages), *prompt.images]


def _with_matrix(job: JobFile, variables: Collection[str]) -> frozenset[str]:
    names = frozenset(name for each in job.matrix for name in each)
    return names | {name for name in variables if name.isidentifier()}
