"""The summary of a run."""

from __future__ import annotations

from msgspec import Struct

from batch.amounts import amount_text
from batch.exit_codes import in_words
from batch.html_table import pairs_table


class Percentiles(Struct, frozen=True, gc=False):
    """The 50th, 90th and 99th percentile in seconds, accurate to about 3 %."""

    p50: float
    p90: float
    p99: float


class Summary(Struct, frozen=True, gc=False):
    """The result of a run. Counts are requests; ``total = succeeded + failed + pending``.

    ``sent`` counts the requests that this run finished, ``attempts`` their attempts. ``cost`` is the cost of
    these, ``null`` if a price is unknown. It excludes the ``unmetered`` attempts, for which no server
    reported usage. ``seconds`` is the wall time. ``exit_code`` is that of the command line; ``reasons``
    explain why requests are pending.

    ``orphans`` are lines of requests that the job no longer has. ``resumed`` counts the requests that an
    earlier run had settled. ``codes`` counts the failed requests by error code. ``failures`` are the first
    requests that failed in this run, with their codes. ``latency`` and ``first_byte`` are those of this run's
    successes, of the last attempt of each.

    ``job_sha256`` is that of the job file, ``null`` if there is none; times are UTC. ``checks`` are attempts
    that determined whether an endpoint or the requests caused failures. ``held_back`` is the code of the
    failures, such as ``http_429``, that kept the requests in flight below the job's limit for most of the
    run; else ``null``. ``currency`` is that of ``cost``. ``provider_cost`` is the part of ``cost`` that
    providers stated, ``null`` if none did. ``wasted`` counts the attempts that were lost with their worker
    process: their requests were sent again, and the first answer may have to be paid for, too.
    """

    schema_version: int
    name: str
    output: str
    exit_code: int
    total: int
    succeeded: int
    failed: int
    pending: int
    sent: int
    attempts: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    unmetered: int
    seconds: float
    reasons: list[str]
    orphans: int
    resumed: int
    codes: dict[str, int]
    latency: Percentiles | None
    first_byte: Percentiles | None
    started_at: str
    ended_at: str
    job_sha256: str | None
    versions: dict[str, str]
    checks: int = 0
    failures: dict[str, str] = {}
    held_back: str | None = None
    currency: str = "USD"
    provider_cost: float | None = None
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    wasted: int = 0

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        codes = ", ".join(f"{number} {code}" for code, number in self.codes.items())
        return pairs_table(
            [
                ("job", self.name),
                ("output", self.output),
                ("ended", in_words(self.exit_code)),
                ("succeeded", f"{self.succeeded:,} of {self.total:,}"),
                ("failed", f"{self.failed:,}: {codes}" if self.failed else None),
                ("pending", f"{self.pending:,}" if self.pending else None),
                ("tokens", f"{self.prompt_tokens:,} in, {self.completion_tokens:,} out"),
                ("cost", None if self.cost is None else amount_text(self.cost, self.currency)),
                ("seconds", self.seconds),
                *(("reason", reason) for reason in self.reasons),
            ]
        )
