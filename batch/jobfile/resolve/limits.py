"""Requirements of token and cost limits: known prices, and answers of bounded length.

Tokens and cost are spent before they are counted. So the maximum of a request must be known beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from batch.diagnostics import shown
from batch.jobfile.job import USD, Model, currency_of
from batch.jobfile.targets import targets_of
from batch.parameters import max_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batch.diagnostics import Findings
    from batch.jobfile.job import Limits, Prompt
    from batch.jobfile.syntax.job_rows import Survey

HasPrice: TypeAlias = Callable[[Model], bool]
"""Return whether a model's price is known."""

_WHY = "without it the maximum of an answer is unknown"
_CAP = "write `params: {max_tokens: 1000}`"


def has_own_price(model: Model) -> bool:
    """Return whether the job file states the model's price."""
    return model.price is not None


def check_prices(limits: Limits, models: Iterable[Model], has_price: HasPrice, findings: Findings) -> None:
    """Report a cost limit for a model whose price is unknown: unknown is not zero.

    Price tables are in USD, and do not apply to a job in another currency.
    """
    if limits.cost is None:
        return
    models = list(models)
    currency = currency_of(models)
    for model in models:
        if model.price is None and (currency != USD or not has_price(model)):
            what = f"needs the price of `{shown(model.id)}`, which is not known"
            hint = "write `price: {input: 0.15, output: 0.6}`, per million tokens"
            findings.at_key(("limits", "cost"), what, hint)


def check_lengths(
    limits: Limits, models: Sequence[Model], prompts: Iterable[Prompt], findings: Findings
) -> None:
    """Report a limit of tokens or cost if an answer may have any length."""
    key = _spending(limits)
    if key is None:
        return
    prompts = list(prompts)
    for model in models:
        if any(max_tokens({**model.params, **prompt.params}) is None for prompt in prompts):
            of = f" for `{shown(model.id)}`" if len(models) > 1 else ""
            findings.at_key(("limits", key), f"needs `max_tokens`{of}: {_WHY}", _CAP)


def check_row_lengths(limits: Limits, models: Sequence[Model], survey: Survey, findings: Findings) -> None:
    """Report the same for the rows of a JSONL job."""
    key = _spending(limits)
    if key is None:
        return
    for name, place in survey.uncapped.items():
        reached = models if name is None else targets_of(name, models)
        if any(max_tokens(model.params) is None for model in reached):
            what = f"`limits.{key}` needs `max_tokens`: {_WHY}"
            findings.at_place(place, "params", what, f"{_CAP}, in the row or in the settings")


def _spending(limits: Limits) -> str | None:
    """Return the first limit that is spent."""
    if limits.tokens is not None:
        return "tokens"
    return None if limits.cost is None else "cost"
