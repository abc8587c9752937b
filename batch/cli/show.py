"""``promptjobs show``"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from batch.cli.console import print_json, print_line
from batch.cli.flags import option
from batch.cli.job_options import job_flags
from batch.cli.selectors import code_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from batch.app.inspect.show import Shown
    from batch.records import JSONObject, Result, Usage

_NO_MESSAGES = (
    "messages   not in this line; use the job file instead of the output, or set "
    "`output: {include: [messages]}` in it for later lines"
)


@click.command("show")
@job_flags
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--failed", is_flag=True, help="List only failed requests.")
@code_option(click.option)  # no environment variables: those of `run` and `retry` would select rows here
@click.option(
    "--grep",
    metavar="TEXT",
    default="",
    help="List only requests with this text in their ID, answer or error message. Upper and lower case are "
    "the same.",
)
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(["succeeded", "failed", "pending"]),
    help="List only requests with this status. Can be repeated.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="List at most this many requests. The default is 50; with `--json` there is none.",
)
@option("--json", "as_json", is_flag=True, help="Print one JSON object per request and line.")
def command(
    jobfile: Path,
    ids: tuple[str, ...],
    failed: bool,
    codes: tuple[str, ...],
    grep: str,
    statuses: tuple[str, ...],
    limit: int | None,
    as_json: bool,
    **job: Any,
) -> int:
    """Show a table of all requests, or those with the given IDs.

    JOBFILE is a job file or an output file. The table has one line per request: its ID, its status, the code
    of its error, its tokens (prompt+answer), and the first words of its answer or error message.

    With IDs, show the messages, the answer, and the history of errors. With an output file, the messages are
    shown only if its lines hold them (`output: {include: [messages]}`).
    """
    wanted = {*statuses, *(["failed"] if failed else [])}
    if not ids:
        from batch.cli import show_table

        return show_table.show(jobfile, job, wanted, codes, grep, limit, as_json=as_json)
    if wanted or codes or grep or limit is not None:
        raise click.UsageError(
            "--failed, --code, --grep, --status and --limit select from the list; give no IDs"
        )
    for number, request_id in enumerate(ids):
        if number and not as_json:
            print_line("")
        _show(_shown(jobfile, request_id, job), as_json=as_json)
    return 0


def _show(shown: Shown, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "schema_version": 1,
                "id": shown.id,
                "stale": shown.stale,
                "messages": shown.messages,
                "result": shown.result,
            }
        )
        return
    for line in _print_text(shown):
        print_line(line, limit=sys.maxsize - 1)


def _shown(path: Path, request_id: str, job: dict[str, Any]) -> Shown:
    from batch.app.inspect.show import of_job, of_output
    from batch.cli.job_loading import is_results, load

    return of_output(path, request_id) if is_results(path) else of_job(load(path, **job), request_id)


def _print_text(shown: Shown) -> Iterator[str]:
    result = shown.result
    yield f"id         {shown.id}"
    if result is None:
        yield "status     pending"
    else:
        stale = "; stale: the request has changed since" if shown.stale else ""
        yield f"status     {result.status}{stale}"
        yield from _facts(result, shown.currency)
    yield from _messages(shown.messages)
    if result is not None:
        yield from _outcome(result)


def _facts(result: Result, currency: str | None) -> Iterator[str]:
    from batch.amounts import amount_text

    served_by = f", served by {result.served_by}" if result.served_by else ""
    yield f"model      {result.model}{served_by}"
    runs = f" in the last of {result.error.runs} runs" if result.error and result.error.runs > 1 else ""
    yield f"attempts   {result.attempts}{runs}"
    if result.verdict is not None:
        yield f"verdict    {result.verdict} (finish reason: {result.finish_reason})"
    if result.usage is not None:
        cost = "unknown" if result.cost is None else amount_text(result.cost, currency)
        stated = {"provider": ", stated by the provider", "mixed": ", in part stated by the provider"}
        source = stated.get(result.cost_source or "", "")
        yield f"tokens     {_tokens(result.usage)}; cost {cost}{source}"
    times = result.timings
    seconds = {"queued": times.queued, "first byte": times.first_byte, "total": times.total}
    yield "seconds    " + ", ".join(f"{name} {time}" for name, time in seconds.items() if time is not None)
    yield f"completed  {result.completed_at}"


def _tokens(usage: Usage) -> str:
    parts = {
        "cached": usage.cached_tokens,
        "written to a cache": usage.cache_write_tokens,
        "reasoning": usage.reasoning_tokens,
    }
    details = "".join(f", {number} {name}" for name, number in parts.items() if number)
    return f"{_known(usage.prompt_tokens)} in, {_known(usage.completion_tokens)} out{details}"


def _known(tokens: int | None) -> str:
    return "?" if tokens is None else str(tokens)


def _messages(messages: Sequence[JSONObject] | None) -> Iterator[str]:
    if messages is None:
        yield _NO_MESSAGES
        return
    from batch.cli.message_text import words_of

    for message in messages:
        yield from _text(str(message.get("role") or "?"), words_of(message.get("content")))


def _outcome(result: Result) -> Iterator[str]:
    parts = {
        "reasoning": result.reasoning,
        "answer": result.text,
        "refusal": result.refusal,
        "tool calls": result.tool_calls,
        "parsed": result.parsed,
        "partial text": result.partial_text,
    }
    for name, content in parts.items():
        if content is not None:
            yield from _text(name, content)
    if result.error is not None:
        yield from _text("error", f"{result.error.code}: {result.error.message}")
        yield "history"
        for attempt in result.error.history:
            yield f"  {attempt.at}  {attempt.code}: {attempt.message}"


def _text(name: str, content: object) -> Iterator[str]:
    """Return the lines of text, or of anything else as JSON."""
    from batch.codec import encode_json

    yield name
    text = content if isinstance(content, str) else encode_json(content).decode()
    for line in text.split("\n"):
        yield f"  {line.expandtabs(4)}"
