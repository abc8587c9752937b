"""What ``status --watch`` shows of a run at one moment, as escaped lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.amounts import amount_text
from batch.app.inspect.active_run import counters_of, snapshot_of
from batch.display_width import cut
from batch.progress import formatting, meter
from batch.results.lock import described
from batch.terminal_escaping import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.app.inspect.active_run import ActiveRun
    from batch.results.progress_file import EndpointProgress, Progress


def frame(active: ActiveRun, note: str, columns: int, rows: int, *, plain: bool = False) -> list[str]:
    """Return at most ``rows`` lines, each at most ``columns`` wide; the most important ones first.

    ``note`` is a line of its own unless it is empty. ``plain`` draws the bar with ASCII characters.
    """
    progress = active.progress
    name = "run" if progress is None else escape(progress.name)
    lines = [f"{name}: {described(active.holder)}"]
    if progress is not None:
        lines += _numbers(progress, columns, plain=plain)
    if note:
        lines.append(note)
    if progress is not None:
        lines += _endpoints(progress)
        lines += _failures(progress)
    return [cut(line, columns) for line in lines[:rows]]


def log_line(progress: Progress) -> str:
    """Return the same in one line with its time."""
    rates = (progress.requests_per_second, progress.tokens_per_second)
    text = formatting.line(counters_of(progress), snapshot_of(progress), rates)
    return f"{progress.updated_at} {text}"


def _numbers(progress: Progress, columns: int, *, plain: bool) -> Iterator[str]:
    snapshot, counters = snapshot_of(progress), counters_of(progress)
    numbers = meter.Numbers(
        done=progress.done,
        total=progress.total,
        failed=counters.failed.total(),
        seconds_left=progress.seconds_left,
        requests=progress.requests_per_second,
        in_flight=progress.in_flight,
        allowed=progress.limit,
        retries=progress.retries,
        tokens=progress.tokens_per_second,
        cost=progress.cost,
    )
    yield meter.line(numbers, columns, plain=plain)
    yield ", ".join(formatting.engine(snapshot, counters))
    cost = "" if progress.cost is None else f", cost {amount_text(progress.cost, progress.currency)}"
    yield (
        f"attempts {progress.attempts}, "
        f"tokens {progress.prompt_tokens} in, {progress.completion_tokens} out{cost}"
    )
    yield from formatting.failure_counts(snapshot)


def _endpoints(progress: Progress) -> Iterator[str]:
    """Yield the endpoints that work, if there are several."""
    working = [each for each in progress.endpoints if each.parked is None]
    if len(progress.endpoints) > 1:
        yield from map(_endpoint, working)


def _endpoint(endpoint: EndpointProgress) -> str:
    return f"{escape(endpoint.name)}: in flight {endpoint.in_flight} of {endpoint.limit}"


def _failures(progress: Progress) -> Iterator[str]:
    """Yield the latest failures, the newest first."""
    for each in reversed(progress.failures):
        yield f"{escape(each.id)} failed: {escape(each.code)}: {escape(each.message)}"
