"""Which of a job's models a row of a JSONL job goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.jobfile.job import Model


def targets_of(name: str | None, models: Sequence[Model]) -> tuple[Model, ...]:
    """All models for a row that names none; else the one of that id, or those of that model name."""
    if name is None:
        return tuple(models)
    by_id = tuple(model for model in models if model.id == name)
    return by_id or tuple(model for model in models if model.model == name)
