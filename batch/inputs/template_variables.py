"""Which variables prompts use, compared with those that the inputs have.

A prompt that uses none asks the same for every row; one that requires a variable which no row has can never
be filled.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batch.diagnostics import shown, warning
from batch.inputs.readers.documents import VARIABLES
from batch.inputs.template_faults import TemplateFaults
from batch.jobfile.job import DOCUMENTS
from batch.jobfile.template_places import place_in
from batch.jobfile.templates import names_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from batch.errors import Diagnostic
    from batch.inputs.readers.row import Row
    from batch.jobfile import JobFile, Prompt

_BRACES = re.compile(r"(?<!\{)(\$?\{ ?([^\W\d]\w*) ?\}{1,2})(?!\})")


def unused(job: JobFile, row: Row) -> Iterator[Diagnostic]:
    """Yield a warning for each prompt that uses no variable of its inputs, or writes one in other braces."""
    known = _with_matrix(job, row.variables)
    if known:
        for prompt in job.prompts:
            if found := _in_other_braces(prompt, known):
                yield found
            elif not any(names_in(text)[0] for text, _, _ in prompt.texts()):
                *_, (_, where, place) = prompt.texts()
                hint = ", ".join(f"`{{{{ {shown(name)} }}}}`" for name in sorted(known)[:3])
                what = f"uses no variable, so it is the same for every row; it can use {hint}"
                yield warning(place, where, what)


def _in_other_braces(prompt: Prompt, known: Collection[str]) -> Diagnostic | None:
    for text, where, place in prompt.texts():
        for match in _BRACES.finditer(text):
            if match[2] in known:
                what, hint = (
                    f"`{match[1]}` is sent as it stands",
                    f"write `{{{{ {match[2]} }}}}` for the variable",
                )
                return warning(place_in(place, text, match.start()), where, what, hint)
    return None


def unknown_in_documents(job: JobFile) -> Iterator[Diagnostic]:
    """Yield an error for each variable that a prompt requires and that documents and the matrix do not have.

    What a document has is known even if none was found.
    """
    if job.inputs is not None and job.inputs.kind == DOCUMENTS:
        known = _with_matrix(job, VARIABLES)
        for prompt in job.prompts:
            yield from TemplateFaults(prompt).unknown(known)


def _with_matrix(job: JobFile, variables: Collection[str]) -> frozenset[str]:
    names = frozenset(name for each in job.matrix for name in each)
    return names | {name for name in variables if name.isidentifier()}
