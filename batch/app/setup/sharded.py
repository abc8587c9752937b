"""A shard of a job as a job of its own: its output, and its share of the rates and budgets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batch.errors import UsageError
from batch.jobfile.job import Failures, Limits, RateLimits
from batch.jobfile.shard import MILLIONTH, WHOLE

if TYPE_CHECKING:
    from decimal import Decimal

    from batch.jobfile.job import JobFile, Model
    from batch.jobfile.shard import Shard


def sharded(job: JobFile, shard: Shard) -> JobFile:
    """Return the job that a shard runs. Raises ``UsageError`` if a limit is too small to be divided."""
    return replace(
        job,
        shard=shard,
        output=shard.output_of(job.output),
        merged=job.output,
        models=tuple(_model(model, shard) for model in job.models),
        limits=_limits(job.limits, shard),
    )


def _model(model: Model, shard: Shard) -> Model:
    rates = model.rate_limits
    return replace(
        model,
        rate_limits=RateLimits(
            _share(rates.rpm, shard, "rate_limits.rpm", " requests a minute"),
            _share(rates.tpm, shard, "rate_limits.tpm", " tokens a minute"),
        ),
    )


def _limits(limits: Limits, shard: Shard) -> Limits:
    tokens = _share(limits.tokens, shard, "limits.tokens", " tokens")
    failures = limits.failures
    if failures is not None and failures.number is not None:
        number = _share(failures.number, shard, "limits.failures", " failures")
        failures = Failures(number=None if number is None else int(number))
    return Limits(
        cost=_share(limits.cost, shard, "limits.cost", "", MILLIONTH),
        tokens=None if tokens is None else int(tokens),
        time=limits.time,
        failures=failures,
    )


def _share(amount: float | None, shard: Shard, key: str, what: str, unit: Decimal = WHOLE) -> float | None:
    """Return the shard's share of a limit; each shard has to get at least one unit."""
    if amount is None:
        return None
    if amount < shard.count * unit:
        raise UsageError(
            f"{key}: {amount:g}{what} cannot be divided among {shard.count} shards; raise the limit or use "
            "fewer shards"
        )
    return shard.share(amount, unit)
