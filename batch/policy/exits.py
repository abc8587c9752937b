"""The exit code of a run: the most pressing of its reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch.policy.retry import Hold

SUCCESS = 0
SOME_FAILED = 1
BUDGET = 8
SIGNALLED = 128


def exit_code(
    *,
    failed: bool,
    holds: Iterable[Hold] = (),
    out_of_budget: bool = False,
    signal: int | None = None,
    pending: int = 0,
) -> int:
    """What the command returns.

    A signal comes first, then an endpoint that stayed out, a budget or time limit, an endpoint that will
    not have us, and last a failure or a request that is ``pending``.
    """
    if signal is not None:
        return SIGNALLED + signal
    codes = [hold.exit_code for hold in holds]
    if out_of_budget:
        codes.append(BUDGET)
    return max(codes, default=SOME_FAILED if failed or pending else SUCCESS)
