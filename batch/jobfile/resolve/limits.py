"""What limits of tokens and of cost need to be kept: prices, and answers of a bounded length.

Both are spent before they are counted. So the most that a request can take must be known before it is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from batch.diagnostics import shown
from batch.jobfile.job import USD, Model, currency_of, targets_of
from batch.parameters import max_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batch.diagnostics import Findings
    from batch.jobfile.job import Limits, Prompt
    from batch.jobfile.syntax.job_rows import Survey

HasPrice: TypeAlias = Callable[[Model], bool]
"""Whether it is known what a model costs."""

_WHY = "only so it is known what an answer may take"
_CAP = "write `params: {max_tokens: 1000}`"


def has_own_price(model: Model) -> bool:
    """Whether the job file says what the model costs."""
    return model.price is not None


def check_prices(limits: Limits, models: Iterable[Model], has_price: HasPrice, findings: Findings) -> None:
    """A limit of cost is a mistake where a price is not known: unknown is not nothing.

    Price tables are in USD, and no price in a job of another currency.
    """
    if limits.cost is None:
        return
    models = list(models)
    currency = currency_of(models)
    for model in models:
        if model.price is None and (currency != USD or not has_price(model)):
            what = f"needs the price of `{shown(model.id)}`, which is not known"
            hint = "write `price: {input: 0.15, output: 0.6}` in the model, per million tokens"
            findings.at_key(("limits", "cost"), what, hint)


def check_lengths(
    limits: Limits, models: Sequence[Model], prompts: Iterable[Prompt], findings: Findings
) -> None:
    """A limit of tokens or cost is a mistake where an answer may have any length."""
    key = _spending(limits)
    if key is None:
        return
    prompts = list(prompts)
    for model in models:
        if any(max_tokens({**model.params, **prompt.params}) is None for prompt in prompts):
            of = f" for `{shown(model.id)}`" if len(models) > 1 else ""
            findings.at_key(("limits", key), f"needs `max_tokens`{of}: {_WHY}", _CAP)


def check_row_lengths(limits: Limits, models: Sequence[Model], survey: Survey, findings: Findings) -> None:
    """The same for the rows of a JSONL job."""
    key = _spending(limits)
    if key is None:
        return
    for name, place in survey.uncapped.items():
        reached = models if name is None else targets_of(name, models)
        if any(max_tokens(model.params) is None for model in reached):
            what = f"`limits.{key}` needs `max_tokens`: {_WHY}"
            findings.at_place(place, "params", what, f"{_CAP}, in the row or in the settings")


def _spending(limits: Limits) -> str | None:
    """The first limit that is spent."""
    if limits.tokens is not None:
        return "tokens"
    return None if limits.cost is None else "cost"
