"""Which models of a job a name means."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.jobfile.job import Model


def targets_of(name: str, models: Sequence[Model]) -> tuple[Model, ...]:
    """Return the model with that id, or else those with that model name."""
    by_id = tuple(model for model in models if model.id == name)
    return by_id or tuple(model for model in models if model.model == name)
