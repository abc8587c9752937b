"""What a run would do and what it may cost, without sending anything.

Nothing is locked or written; the output is read as it is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batch.app.inspect.context_limit import ContextLimit
from batch.app.run.changed_requests import refusal
from batch.app.run.plan import Plan, open_source
from batch.app.run.selection_check import check_selection
from batch.app.run.shards import merged_notice, unmerged_notice, with_merged
from batch.app.setup.reclassified import restate_of, sent_again
from batch.inputs.precheck import check
from batch.results.reader import ResultReader, reading
from batch.scheduling.resume import State
from batch.scheduling.selection import UNLIMITED
from batch.scheduling.token_estimate import Estimator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch.inputs.bad_rows import Origin
    from batch.jobfile.job import JobFile
    from batch.records import Request, Result
    from batch.scheduling.pricing import Price
    from batch.scheduling.selection import Selection


@dataclass(slots=True)
class Load:
    """What would be sent to one model. Tokens are estimated.

    ``completion_tokens`` is the maximum for all answers; ``unbounded`` requests have no limit and are not
    included. ``cost`` is the maximum for all; ``None`` if prices or limits are unknown.
    """

    requests: int = 0
    prompt_tokens: float = 0.0
    completion_tokens: int = 0
    unbounded: int = 0
    cost: float | None = 0.0


@dataclass(slots=True)
class Preview:
    """A job, counted by what a run would do with each request, and why.

    ``changed`` counts the parts that differ from the existing line, ``failed`` and ``given_up`` the codes of
    those lines. ``refused`` are invalid rows that would be recorded as failed, by state: they count in the
    plan, and are not sent. ``loads`` are by target. ``first`` is the first request that would be sent.
    """

    job: JobFile
    plan: Plan
    changed: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    given_up: Counter[str] = field(default_factory=Counter)
    refused: Counter[State] = field(default_factory=Counter)
    loads: dict[str, Load] = field(default_factory=dict)
    first: Request | None = None
    notices: list[str] = field(default_factory=list)


def preview(
    job: JobFile,
    prices: Mapping[str, Price],
    selection: Selection = UNLIMITED,
) -> Preview:
    """Scan the whole job once; ``prices`` are by target, as far as they are known.

    Raises ``JobFileError`` with all errors in the job's inputs, and ``UsageError`` if the output cannot be
    read or was not written by promptjobs, or if a selected id does not exist.
    """
    with reading(job.output), ResultReader(job.output, restate_of(job)) as lines:
        viewer = _Viewer(Preview(job, Plan(with_merged(job, selection))), lines, prices)
        source = open_source(job)
        skipped = check(source, viewer.see).skipped
        again = sent_again(lines.contents.index.restated_codes())
        viewer.preview.notices.extend([again] if again else [])
        viewer.preview.notices.extend(viewer.context.notices())
        viewer.preview.notices.extend([*source.notices, *(f"{bad} (skipped)" for bad in skipped)])
    check_selection(job, viewer.preview.plan)
    if why := refusal(job, viewer.preview.plan):
        viewer.preview.notices.append(why)
    found = (merged_notice(job, viewer.preview.plan), unmerged_notice(job))
    viewer.preview.notices.extend(filter(None, found))
    return viewer.preview


class _Viewer:
    def __init__(self, preview: Preview, lines: ResultReader, prices: Mapping[str, Price]) -> None:
        self.preview = preview
        self._lines = lines
        self._prices = prices
        self._estimator = Estimator()
        self.context = ContextLimit(preview.job)

    def see(self, request: Request, origin: Origin) -> None:
        """Count one request."""
        view = self.preview
        choice = view.plan.count(request, origin, self._lines.known(request.id))
        where, known, sends = choice.where, choice.known, choice.sends
        if sends and origin.bad is not None:
            view.refused[where] += 1
            return
        if where is State.CHANGED:
            view.changed[changed_part(request, self._lines.result(request.id))] += 1
        elif known is not None and where in (State.FAILED, State.GIVEN_UP):
            (view.failed if where is State.FAILED else view.given_up)[known.code] += 1
        if not sends:
            return
        view.first = view.first or request
        self._add(view.loads.setdefault(request.target, Load()), request)

    def _add(self, load: Load, request: Request) -> None:
        estimate = self._estimator.estimate(request)
        self.context.add(request, estimate)
        load.requests += 1
        load.prompt_tokens += estimate.prompt
        load.completion_tokens += estimate.longest or 0
        load.unbounded += estimate.longest is None
        price = self._prices.get(request.target)
        if price is None or estimate.longest is None or load.cost is None:
            load.cost = None
        else:
            load.cost += price.most(estimate.prompt, estimate.longest)


def changed_part(request: Request, result: Result | None) -> str:
    """Return which part of a request differs from its line, as far as the line shows it."""
    if result is None:
        return "prompt, model or parameters"
    if result.model != request.model:
        return "model"
    if result.messages is None:
        return "prompt or parameters"
    return "parameters or engine" if result.messages == list(request.messages) else "prompt"
