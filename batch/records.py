"""The values that the packages exchange: frozen, typed, without behaviour but for tables in notebooks.

A *request* is sent in one or more *attempts*. An attempt's *outcome* is a ``Reply`` or a ``Failure``. A
request ends in exactly one ``Result``, which is one line of the output file.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from batch.amounts import amount_text
from batch.html_table import pairs_table
from batch.run_summary import Summary as Summary  # noqa: PLC0414 - its earlier place, which others may import

SCHEMA_VERSION: Literal[1] = 1
"""Version of the result line and of the summary; incremented when a field changes its meaning."""

JSONObject: TypeAlias = dict[str, Any]
"""A decoded JSON object. Treated as immutable once it is inside a record."""


class Verdict(StrEnum):
    """How certain it is that a reply is complete."""

    COMPLETE = "complete"
    """The server reported that the answer is complete."""
    LENGTH = "length"
    """The server stopped at its token limit; the text is truncated."""
    UNVERIFIED = "unverified"
    """The stream ended normally, but the server sent no finish reason."""


class Usage(Struct, frozen=True, gc=False):
    """Tokens as the server counted them; ``None`` if it did not report them.

    ``cached_tokens`` of the prompt were read from a cache, ``cache_write_tokens`` written to one. Both are
    part of ``prompt_tokens``. ``reasoning_tokens`` are mostly part of ``completion_tokens``, but some servers
    count them in the total alone. These three are omitted from a line if the server did not report them.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | UnsetType | None = UNSET
    cache_write_tokens: int | UnsetType | None = UNSET
    reasoning_tokens: int | UnsetType | None = UNSET


class Request(Struct, frozen=True, gc=False):
    """One prompt for one model.

    ``id`` identifies its line in the output; ``fingerprint`` shows whether that line is stale. ``target`` is
    the job's name of the model and its endpoint; ``model`` is the name that is sent. ``messages`` are chat
    messages as ``{"role", "content"}``. ``params`` are sent unchanged in the body; ``metadata`` is copied to
    the result.
    """

    id: str
    fingerprint: str
    target: str
    model: str
    messages: tuple[JSONObject, ...]
    params: JSONObject = {}
    metadata: JSONObject = {}


class Rate(Struct, frozen=True, gc=False):
    """The rate limit that an endpoint reports: the requests left when it accepted this one.

    It allows more ``seconds`` after the end of the attempt.
    """

    remaining: int
    seconds: float


class Reply(Struct, frozen=True, gc=False):
    """A complete answer. ``first_byte`` and ``total`` are seconds since the attempt started.

    ``parsed`` is the value of the text, if the job requires one. ``logprobs`` are as the server sends them,
    joined over its events. ``redacted`` is set if a secret was removed from the server's text. ``lost``
    counts earlier tries of the same attempt on connections that broke: a server may have processed them.
    ``cost`` is the cost that the provider states, in USD.
    """

    text: str
    verdict: Verdict
    finish_reason: str | None = None
    reasoning: str | None = None
    tool_calls: list[JSONObject] | None = None
    refusal: str | None = None
    usage: Usage | None = None
    served_by: str | None = None
    first_byte: float | None = None
    total: float = 0.0
    parsed: Any = None
    rate: Rate | None = None
    logprobs: Any = None
    redacted: bool = False
    lost: int = 0
    cost: float | None = None


class Failure(Struct, frozen=True, gc=False):
    """Why an attempt failed.

    ``code`` is a code of the fault matrix (``docs/faults.md``). ``retry_after`` is the time that the server
    asks to wait, in seconds from now. ``should_retry`` is its explicit statement whether a retry makes sense.
    ``finished`` is set if the server considered its answer complete. ``overloaded`` is set if an error inside
    its answer reports an overload.

    ``server_code`` is the code or type of the server's error, empty if there is none. ``error_status`` is the
    HTTP status that an error inside a 200 response states. ``about_request`` is set if the server's code
    concerns only this request, such as a prompt that is too long.

    ``foreign`` is set if no HTTP API may be there: no HTTP response has arrived, or a 400 with a page.
    ``finish_reason`` is the server's, if it sent one. ``answer`` is the reply if only its finish reason is
    unknown. ``cost`` is the cost that the provider states, as in ``Reply``.
    """

    code: str
    message: str
    http_status: int | None = None
    retry_after: float | None = None
    should_retry: bool | None = None
    finished: bool = False
    overloaded: bool = False
    partial_text: str | None = None
    usage: Usage | None = None
    first_byte: float | None = None
    total: float = 0.0
    rate: Rate | None = None
    server_code: str = ""
    error_status: int | None = None
    about_request: bool = False
    finish_reason: str | None = None
    answer: Reply | None = None
    redacted: bool = False
    lost: int = 0
    cost: float | None = None
    foreign: bool = False


Outcome: TypeAlias = Reply | Failure


class Mishap(Struct, frozen=True, gc=False):
    """One failed attempt in the history of a request; ``at`` is UTC, ISO 8601."""

    code: str
    message: str
    at: str


class ResultError(Struct, frozen=True, gc=False):
    """The error of a failed result. ``runs`` counts the runs in which the request has failed."""

    code: str
    message: str
    http_status: int | None
    retryable: bool
    runs: int
    history: list[Mishap]


class Timings(Struct, frozen=True, gc=False):
    """Seconds: waiting for a slot, until the first delta, and for the whole last attempt."""

    queued: float | None
    first_byte: float | None
    total: float | None


class Result(Struct, frozen=True, gc=False):
    """One line of the output file, keys in this order, ``null`` rather than absent.

    ``messages`` are those that were sent, if the job's ``output.include`` requests them. ``target`` is the
    job's id of the model. ``logprobs`` are present if the request asked for them. ``redacted``: the server
    echoed a key or another secret; "…" replaces it.

    ``cost_source`` is "provider" if the provider stated the cost of all attempts, and "mixed" if it did so
    for some. It is absent if ``cost`` comes from a price alone, or is unknown.
    """

    schema_version: int
    id: str
    fingerprint: str
    status: Literal["succeeded", "failed"]
    text: str | None
    verdict: Verdict | None
    finish_reason: str | None
    error: ResultError | None
    partial_text: str | None
    reasoning: str | None
    tool_calls: list[JSONObject] | None
    refusal: str | None
    parsed: Any
    model: str
    served_by: str | None
    usage: Usage | None
    cost: float | None
    attempts: int
    timings: Timings
    completed_at: str
    metadata: JSONObject
    messages: list[JSONObject] | None = None
    target: str | None = None
    logprobs: Any = None
    redacted: bool = False
    cost_source: str | UnsetType = UNSET

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        return pairs_table(
            [
                ("id", self.id),
                ("status", self.status),
                ("model", self.model),
                ("text", self.text or self.refusal),
                ("error", self.error and f"{self.error.code}: {self.error.message}"),
                ("attempts", self.attempts),
                ("seconds", self.timings.total),
                ("cost", None if self.cost is None else amount_text(self.cost, None)),
            ]
        )


class Known(Struct, frozen=True, gc=False):
    """What an earlier run recorded about one request: enough to decide whether to send it again.

    ``code`` is that of the error, empty if it succeeded. ``restated``: the status of the line differs from
    that of its finish reason, which decides. ``elsewhere``: the line is in another output than the run's own.
    """

    fingerprint: str
    succeeded: bool
    retryable: bool = False
    runs: int = 0
    code: str = ""
    restated: bool = False
    elsewhere: bool = False
