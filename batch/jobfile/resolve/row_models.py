"""The models of a JSONL job: those of its settings that rows use, and those that rows define themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.jobfile.targets import targets_of

if TYPE_CHECKING:
    from batch.diagnostics import Findings, Place
    from batch.jobfile.job import Model
    from batch.jobfile.resolve.model_defaults import Models
    from batch.jobfile.syntax.job_rows import Survey


def row_models(
    survey: Survey, models: tuple[Model, ...], resolver: Models, findings: Findings
) -> tuple[tuple[Model, ...], tuple[Model, ...]]:
    """Return the used ones of ``models``, all of which serve the rows without a model, and the new ones."""
    new: dict[str, Place] = {}
    used = {model.id for model in models} if survey.unnamed else set()
    for name, place in survey.models.items():
        found = targets_of(name, models)
        if len(found) > 1:
            ids = ", ".join(f"`{model.id}`" for model in found)
            findings.at_place(place, "model", "is ambiguous", f"write one of {ids}")
        if not found:
            new[name] = place
        used.update(model.id for model in found)
    own, from_rows = tuple(model for model in models if model.id in used), resolver.of_rows(new)
    if survey.batch and any(model.provider != "openai" for model in own + from_rows):
        what = "a line of an OpenAI Batch file needs `provider: openai`"
        findings.at_place(survey.batch, "", what)
    return own, from_rows
