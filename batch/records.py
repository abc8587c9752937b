"""The values that travel through the house: frozen, typed, and without behaviour.

A *request* is sent in one or more *attempts*; an attempt's *outcome* is a ``Reply`` or a ``Failure``;
a request ends in exactly one ``Result``, which is one line of the output file.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

SCHEMA_VERSION: Literal[1] = 1
"""Version of the result line and of the summary; raised when a field changes its meaning."""

JSONObject: TypeAlias = dict[str, Any]
"""A decoded JSON object. Treated as immutable once it is inside a record."""


class Verdict(StrEnum):
    """How far a reply can be trusted to be the whole answer."""

    COMPLETE = "complete"
    """The server said that it had finished."""
    LENGTH = "length"
    """The server stopped at its limit of tokens; the text is what came until then."""
    UNVERIFIED = "unverified"
    """The stream ended in order, but the server never gave a reason for finishing."""


class Usage(Struct, frozen=True, gc=False):
    """Tokens as the server counted them; ``None`` where it did not say.

    ``cached_tokens`` of the prompt were read from a cache, ``cache_write_tokens`` written to one. Both are
    part of ``prompt_tokens``. ``reasoning_tokens`` are mostly part of ``completion_tokens``, but some servers
    count them in the total alone. These three are absent from a line where the server did not report them.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | UnsetType | None = UNSET
    cache_write_tokens: int | UnsetType | None = UNSET
    reasoning_tokens: int | UnsetType | None = UNSET


class Request(Struct, frozen=True, gc=False):
    """One prompt for one model.

    ``id`` names its one line in the output; ``fingerprint`` says whether that line is stale. ``target``
    is the job's name for the model and so for the endpoint that it runs on, ``model`` the name that is
    sent. ``messages`` are chat messages as ``{"role", "content"}``; ``params`` go into the body as they
    stand; ``metadata`` is copied to the result.
    """

    id: str
    fingerprint: str
    target: str
    model: str
    messages: tuple[JSONObject, ...]
    params: JSONObject = {}
    metadata: JSONObject = {}


class Rate(Struct, frozen=True, gc=False):
    """What an endpoint says of its rate limit: so many requests were left when it took this one.

    In ``seconds`` from the end of the attempt it lets more through.
    """

    remaining: int
    seconds: float


class Reply(Struct, frozen=True, gc=False):
    """A whole answer. ``first_byte`` and ``total`` are seconds since the attempt began.

    ``parsed`` is the value that the text holds, where the job demands one. ``logprobs`` are as the server
    sends them, joined over its events. ``redacted`` is set where a secret was taken out of what the server
    said. ``lost`` counts earlier tries of the same attempt, on connections that died: a server may have
    processed them. ``cost`` is the provider's own statement of what the answer costs, in USD.
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
    """Why an attempt gave no answer.

    ``code`` is one of the fault matrix's codes (``docs/faults.md``). ``retry_after`` is the server's own
    wish in seconds from now; ``should_retry`` its explicit word on whether asking again makes sense;
    ``finished`` is set where the server held its answer to be complete, ``overloaded`` where an error inside
    its answer said that it has too much to do.

    ``server_code`` is the code or type that the server gives its error, empty where there is none.
    ``error_status`` is the HTTP status that an error inside a 200 response names. ``about_request`` is set
    where the server's code can only be about this one request, such as a prompt that is too long.

    ``finish_reason`` is the server's, where it has sent one. ``answer`` is what the reply would be, where
    only its finish reason is not known. ``cost`` is the provider's own statement, as in ``Reply``.
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

    ``messages`` are those that were sent, where the job's ``output.include`` asks for them. ``target`` is the
    job's id of the model; ``logprobs`` are kept where the request asked for them. ``redacted``: the server
    has echoed a key or another secret, of which "…" stands here.

    ``cost_source`` is "provider" where the provider itself has said what the attempts cost, and "mixed" where
    it did so for some of them. It is absent where ``cost`` comes from a price alone, or is unknown.
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


class Known(Struct, frozen=True, gc=False):
    """What an earlier run left about one request: enough to decide whether to send it again.

    ``code`` is that of the error, empty where it has succeeded. ``restated``: the line says otherwise, but
    its finish reason decides.
    """

    fingerprint: str
    succeeded: bool
    retryable: bool = False
    runs: int = 0
    code: str = ""
    restated: bool = False


class Percentiles(Struct, frozen=True, gc=False):
    """Seconds that half, nine tenths and 99 hundredths of all stay within, to about 3 %."""

    p50: float
    p90: float
    p99: float


class Summary(Struct, frozen=True, gc=False):
    """What a run came to. Counts are requests; ``total = succeeded + failed + pending``.

    ``sent`` counts the requests that this run finished, ``attempts`` the tries that it made for them.
    ``cost`` is what these cost, ``null`` where a price is not known; it leaves out the ``unmetered`` ones, of
    which no server has told what they took. ``seconds`` is its wall time. ``exit_code`` is what the command
    line returns, ``reasons`` say in words why anything is pending. ``orphans`` are lines that the output
    holds besides, of requests that the job no longer has. ``resumed`` are the requests that an earlier run
    had settled, and ``codes`` counts the failed ones by their error's code. ``latency`` and ``first_byte``
    are those of this run's successes, of the last attempt of each. ``job_sha256`` is that of the job file,
    ``null`` where there is none; times are UTC. ``checks`` are attempts that served to tell whether an
    endpoint or the requests were at fault. ``failures`` are the first requests that failed in this run, with
    their codes. ``held_back`` is the code of the failures, such as ``http_429``, that kept the requests in
    flight below the job's limit for most of the run; else ``null``. ``currency`` is that of ``cost``.
    ``provider_cost`` is the part of ``cost`` that providers have stated themselves, ``null`` where none has.
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
