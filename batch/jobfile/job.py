"""A checked and resolved job: what the other packages work with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from batch.diagnostics import Place
from batch.finish_reasons import NO_WORDS, FinishReasons

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from batch.errors import Diagnostic
    from batch.jobfile.paths import Bounds
    from batch.jobfile.shard import Shard
    from batch.records import JSONObject

ProviderName: TypeAlias = str
"""The name of a dialect in ``wire.dialects.registry``."""

Mode: TypeAlias = Literal["stream", "whole"]
Scope: TypeAlias = Literal["job", "worker"]

DOCUMENTS = "files"
"""The kind of inputs that are documents. Any other is the name of a reader (``inputs.readers.registry``)."""


class RateLimits(Struct, frozen=True):
    """Requests and tokens per minute; ``None``: no limit."""

    rpm: float | None = None
    tpm: float | None = None


NO_RATE_LIMITS = RateLimits()

USD = "USD"
"""The currency of prices that name none, of price tables, and of costs that providers state."""


class TokenPrice(Struct, frozen=True):
    """The price of a million tokens of prompts and of answers, in ``currency`` (ISO 4217).

    ``cached_input`` and ``cache_write`` are the prices of prompt tokens that were read from or written to a
    cache; ``None``: that of ``input``.
    """

    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None
    currency: str = USD


class Written(Struct, frozen=True):
    """Where a key is written: its dotted path and its place."""

    where: str
    place: Place


@dataclass(frozen=True, slots=True)
class Model:
    """A model on an endpoint. The job's defaults are merged in.

    ``id`` is unique in the job and names the target; ``model`` is the name as written. ``base_url`` is
    ``local``, an http(s) URL, or ``None`` for the provider's own. ``base_urls`` are http(s) URLs in its place
    if several endpoints serve the model. ``headers``, ``proxy`` and addresses may contain ``${NAME}``
    references, which only ``app`` expands. ``engine`` is set if ``base_url`` is ``local``: ``llama``,
    ``extractive`` or the absolute path of a GGUF file.

    ``env_proxy``: without a ``proxy``, that of the environment may be used. ``mode`` selects a stream or a
    whole response, and ``keep_alive`` whether a connection serves several requests. ``endpoint_scope``: the
    address leads to one server for the ``job``, or for each ``worker`` on Ray. ``written`` has the
    places of some keys, the model's own or the job's: ``model``, ``base_url``, ``headers.X-Team``.
    """

    id: str
    provider: ProviderName
    model: str
    base_url: str | None = None
    engine: str | None = None
    api_key_env: str | None = None
    api_key_file: Path | None = None
    headers: dict[str, str] = field(default_factory=dict)
    proxy: str | None = None
    params: JSONObject = field(default_factory=dict)
    concurrency: int | None = None
    rate_limits: RateLimits = NO_RATE_LIMITS
    price: TokenPrice | None = None
    base_urls: tuple[str, ...] = ()
    env_proxy: bool = True
    mode: Mode = "stream"
    keep_alive: bool = True
    endpoint_scope: Scope = "job"
    written: dict[str, Written] = field(default_factory=dict, compare=False, repr=False)


INSTRUCTIONS = frozenset({"system", "developer"})
"""The roles of messages that instruct the model. Such messages alone are not a prompt."""


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message of a prompt. ``content`` is a template, written at ``where`` and ``place``."""

    role: str
    content: str
    where: str = field(default="prompt", compare=False)
    place: Place = field(default=Place(""), compare=False)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt: chat messages as templates, the system message first, and ``images``, also templates.

    ``where`` and ``line`` are its place in the job file, and ``image_places`` those of its images; they are
    not part of its content.
    """

    id: str | None
    messages: tuple[Message, ...]
    params: JSONObject = field(default_factory=dict)
    images: tuple[str, ...] = ()
    where: str = field(default="prompt", compare=False)
    line: int = field(default=0, compare=False)
    image_places: tuple[Place, ...] = field(default=(), compare=False)

    def texts(self) -> Iterator[tuple[str, str, Place]]:
        """Yield each template, where it is written, and its place."""
        for message in self.messages:
            yield message.content, message.where, message.place
        for index, image in enumerate(self.images):
            place = self.image_places[index] if self.image_places else Place("")
            yield image, f"images[{index}]", place


class Split(Struct, frozen=True):
    """How long texts are split: the maximum tokens of a chunk, and the overlap with the previous one."""

    tokens: int
    overlap: int = 0


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of the prompts: documents (``files``, glob patterns), or the rows of a ``table``.

    Patterns are relative to ``base``, the job file's folder. Files outside all of ``trees`` are rejected.
    ``id_field`` is the column that holds a row's id; ``None``: ``id``, if there is one. ``on_bad_row``:
    whether an invalid row stops the job before anything is sent, or is recorded as failed.

    ``group_by`` names the metadata fields that group several results into one row; ``split`` makes several
    rows of one. ``tables`` are patterns of several files of rows, instead of ``table``. ``places`` has the
    place of each pattern of documents or tables; one that begins with ``!`` excludes its matches. ``keep``
    names the columns that are copied to each result's metadata. ``on_empty``: whether a blank document or
    prompt and a printed null are an error, skip the row, or are sent as empty text.
    """

    base: Path
    trees: tuple[Path, ...]
    files: tuple[str, ...] = ()
    kind: str = DOCUMENTS
    table: Path | None = None
    id_field: str | None = None
    on_bad_row: Literal["stop", "skip"] = "stop"
    group_by: tuple[str, ...] = ()
    split: Split | None = None
    places: tuple[Place, ...] = field(default=(), compare=False)
    tables: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    on_empty: Literal["error", "skip", "send"] = "error"
    follow_symlinks: bool = True
    keep_place: Place = field(default=Place("job"), compare=False)
    id_place: Place = field(default=Place("job"), compare=False)
    table_place: Place = field(default=Place("job"), compare=False)

    @property
    def skips(self) -> bool:
        """Whether an invalid row is recorded as failed while the others are sent."""
        return self.on_bad_row == "skip"


class Retries(Struct, frozen=True):
    """How often one request is sent, and the backoff between attempts (seconds).

    ``validation_retries`` are for answers that do not match the response format.
    """

    max_attempts: int = 8
    base: float = 0.5
    cap: float = 60.0
    validation_retries: int = 2


class Timeouts(Struct, frozen=True):
    """Limits in seconds; ``total`` is ``None`` if an answer may take any time while output arrives."""

    connect: float = 10.0
    first_byte: float = 300.0
    idle: float = 120.0
    total: float | None = None
    outage: float = 1800.0
    grace: float = 30.0


@dataclass(frozen=True, slots=True)
class Failures:
    """How many results may be failures: a number, or a share of all (from 0 to 1)."""

    number: int | None = None
    share: float | None = None


class Limits(Struct, frozen=True):
    """Limits of one run; ``None``: no limit. ``time`` is in seconds, ``cost`` in the prices' currency."""

    cost: float | None = None
    tokens: int | None = None
    time: float | None = None
    failures: Failures | None = None


def currency_of(models: Iterable[Model]) -> str:
    """Return the currency of the models' prices: a job has one."""
    return next((model.price.currency for model in models if model.price is not None), USD)


@dataclass(frozen=True, slots=True)
class JobFile:
    """A valid job.

    A YAML job has ``prompts`` and optional ``inputs``, and ``matrix``, the variables of each combination.
    Every prompt is sent ``samples`` times. A JSONL job has ``rows``, the file to be streamed; ``system``, the
    system message for rows without one; and ``default_targets``, the ids of the models for rows without a
    model.

    ``order`` is that of the output's lines, ``include`` what they contain besides the answer (``messages``).
    ``on_change`` decides what happens to the succeeded answer of a request that has changed. ``path`` is the
    job file, or the folder that a mapping's paths are relative to; ``bounds`` limit the files that it may
    name. ``warnings`` describe what is allowed in the file but probably not intended. ``matrix_places`` are
    the places of the matrix's variables.

    ``shard`` limits the job to a part of its requests. ``output`` is then that of the part, and ``merged``
    that of the whole job.
    """

    name: str
    path: Path
    root: Path
    bounds: Bounds
    models: tuple[Model, ...]
    output: Path
    prompts: tuple[Prompt, ...] = ()
    inputs: Inputs | None = None
    matrix: tuple[JSONObject, ...] = ()
    samples: int = 1
    rows: Path | None = None
    system: str | None = None
    default_targets: tuple[str, ...] = ()
    order: Literal["completion", "input"] = "completion"
    include: tuple[str, ...] = ()
    on_change: Literal["keep", "replace", "refuse"] = "keep"
    reasoning: Literal["keep", "drop"] = "keep"
    on_length: Literal["accept", "retry", "fail"] = "accept"
    finish_reasons: FinishReasons = NO_WORDS
    concurrency: int = 8
    adaptive: bool = True
    retries: Retries = field(default_factory=Retries)
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: Limits = field(default_factory=Limits)
    warnings: tuple[Diagnostic, ...] = field(default=(), compare=False)
    shard: Shard | None = None
    merged: Path | None = None
    matrix_places: dict[str, Place] = field(default_factory=dict, compare=False, repr=False)

    @property
    def shard_notice(self) -> str:
        """What multiplies and what is divided among the shards; empty for a whole job."""
        if self.shard is None:
            return ""
        rates = any(model.rate_limits != NO_RATE_LIMITS for model in self.models)
        budgets = self.limits != Limits(time=self.limits.time)
        divided = [name for name, is_set in (("rate_limits", rates), ("limits", budgets)) if is_set]
        limits = f"; {' and '.join(f'`{name}`' for name in divided)} are divided" if divided else ""
        return (
            f"shard {self.shard}: `concurrency: {self.concurrency}` is per shard, up to "
            f"{self.concurrency * self.shard.count} requests in flight in all{limits}"
        )

    @property
    def currency(self) -> str:
        """The currency of the job's costs, as a three-letter code."""
        return currency_of(self.models)
