"""``promptjobs run --dry-run``: what a run would do, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.amounts import amount_text
from batch.cli.console import MAX_LINE, counted, emit, print_json, print_message
from batch.cli.message_text import words_of
from batch.codec import encode_json
from batch.scheduling.resume import State
from batch.terminal_escaping import escape

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence

    from batch.app.inspect.dry_run import Load, Preview
    from batch.app.run.options import RunOptions
    from batch.jobfile.job import JobFile
    from batch.records import JSONObject, Request

_MAX_LINES = 40
"""Lines of a message of the first request that are shown."""


def dry_run(jobs: Sequence[JobFile], options: RunOptions, *, as_json: bool) -> int:
    """Print what running these jobs would do."""
    from batch.app.inspect.dry_run import preview
    from batch.app.run.several_jobs import written_by
    from batch.app.setup.price_tables import prices_of

    incomplete: list[JobFile] = []
    for job in jobs:
        source = written_by(job, incomplete)
        if source is not None:
            print_message(
                f"{job.path}: what it sends depends on the results of {source.path}, which is not complete"
            )
            incomplete.append(job)
            continue
        view = preview(job, prices_of(job), options.selection)
        for notice in view.notices:
            print_message(notice)
        if as_json:
            print_json(for_programs(view))
        else:
            emit("\n".join(print_text(view)))
        if view.plan.to_send:
            incomplete.append(job)
    return 0


def for_programs(view: Preview) -> JSONObject:
    """Return everything as JSON values."""
    plan = view.plan
    return {
        "schema_version": 1,
        "name": view.job.name,
        "output": str(view.job.output),
        "currency": view.job.currency,
        "total": plan.total,
        "to_send": plan.to_send.total(),
        "to_refuse": plan.to_refuse,
        "superseding": plan.superseding,
        "left_out": plan.left_out.total(),
        "states": {str(where): plan.states[where] for where in State},
        "changed": dict(view.changed),
        "failed": dict(view.failed),
        "given_up": dict(view.given_up),
        "models": {target: _load(load) for target, load in view.loads.items()},
        "first": None if view.first is None else _request(view.first),
    }


def _load(load: Load) -> JSONObject:
    return {
        "requests": load.requests,
        "prompt_tokens": round(load.prompt_tokens),
        "max_completion_tokens": None if load.unbounded else load.completion_tokens,
        "max_cost": load.cost,
    }


def _request(request: Request) -> JSONObject:
    return {
        "id": request.id,
        "target": request.target,
        "model": request.model,
        "messages": request.messages,
        "params": request.params,
    }


def print_text(view: Preview) -> list[str]:
    """Return the lines to print."""
    return [escape(line, limit=MAX_LINE) for line in _lines(view)]


def _lines(view: Preview) -> Iterator[str]:
    from batch.app.run.changed_requests import announcements

    plan, states = view.plan, view.plan.states
    yield f"job        {view.job.name}"
    yield f"output     {view.job.output}"
    yield f"requests   {plan.total}"
    yield f"done       {states[State.DONE]}"
    if states[State.GIVEN_UP] and State.GIVEN_UP not in plan.selection.states:
        yield f"skipped    {states[State.GIVEN_UP]}{_of(view.given_up)}; `promptjobs retry` sends them again"
    yield f"to send    {plan.to_send.total()}"
    why = {State.CHANGED: view.changed, State.FAILED: view.failed, State.GIVEN_UP: view.given_up}
    for where in (State.NEW, State.CHANGED, State.FAILED, State.GIVEN_UP, State.DONE):
        number = states[where] - view.refused[where] - plan.left_out[where]
        if number and where in plan.selection.states:
            label = "skipped" if where is State.GIVEN_UP else where.value
            yield f"  {label:<9}{number}{_of(why.get(where))}"
    if plan.left_out:
        yield f"left out   {plan.left_out.total()}, not selected"
    if plan.superseding:
        yield from (f"           {text}" for text in announcements(view.job, plan))
    if plan.to_refuse:
        yield f"bad rows   {plan.to_refuse}, to be recorded as failed"
    for target, load in view.loads.items():
        yield f"model      {target}: {_load_text(load, view.job.currency)}"
    if view.first is not None:
        yield from _request_text(view.first)


def _of(counts: Counter[str] | None) -> str:
    if not counts:
        return ""
    return " (" + ", ".join(f"{what} {number}" for what, number in counts.most_common()) + ")"


def _load_text(load: Load, currency: str) -> str:
    out = "answers of any length" if load.unbounded else f"at most {load.completion_tokens} out"
    cost = "cost unknown" if load.cost is None else f"at most {amount_text(load.cost, currency)} in cost"
    return f"{counted(load.requests, 'request')}; about {load.prompt_tokens:.0f} tokens in, {out}; {cost}"


def _request_text(request: Request) -> Iterator[str]:
    yield f"first      {request.id} to {request.target}"
    for message in request.messages:
        lines = words_of(message.get("content")).splitlines() or [""]
        yield f"  {message.get('role')}: {lines[0]}"
        yield from (f"    {line}" for line in lines[1:_MAX_LINES])
        if len(lines) > _MAX_LINES:
            yield f"    … and {len(lines) - _MAX_LINES} more lines"
    if request.params:
        yield f"  params: {encode_json(request.params).decode()}"
