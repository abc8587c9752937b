"""Which of some models a row of a JSONL job means."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.jobfile.job import Model


def targets_of(name: str, models: Sequence[Model]) -> tuple[Model, ...]:
    """The model of that id, or else those of that model name."""
    by_id = tuple(model for model in models if model.id == name)
    return by_id or tuple(model for model in models if model.model == name)
