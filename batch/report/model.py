"""The values of a report: what goes in (``Entry``, ``Output``), and what the page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batch.records import JSONObject, Result
    from batch.report.chart import Chart
    from batch.results.run_record import RunRecord

Status: TypeAlias = Literal["succeeded", "failed", "pending"]
STATUSES: tuple[Status, ...] = ("succeeded", "failed", "pending")


class Entry(Struct, frozen=True, gc=False):
    """One request of an output. ``result`` is its latest line, ``None`` if there is none.

    ``messages`` are those that the line answers, ``None`` if they are unknown. ``rendered``: they come from
    the job file, whose request still has the line's fingerprint. ``stale``: the line answers an earlier
    version of the request. ``target`` is the job's name of the model while there is no result. ``change`` is
    what has become of the request, on a page that compares two outputs; else empty.
    """

    id: str
    status: Status
    result: Result | None = None
    messages: Sequence[JSONObject] | None = None
    rendered: bool = False
    stale: bool = False
    target: str = ""
    change: str = ""


class Output(Struct, frozen=True):
    """One output with its requests, which can be read once, and its runs, the oldest first.

    ``currency`` is that of its costs, ``None`` if it is unknown.
    """

    name: str
    path: str
    entries: Iterable[Entry]
    history: Sequence[RunRecord] = ()
    currency: str | None = None


class Settings(Struct, frozen=True):
    """What the page may hold: texts of prompts and answers at all, and its size in bytes."""

    has_text: bool = True
    max_size: int = 40_000_000


class Fact(Struct, frozen=True):
    """One number of the head with its label; ``note`` explains it, and may be empty."""

    label: str
    value: str
    note: str = ""
    is_bad: bool = False


class ComparisonView(Struct, frozen=True):
    """What a page has that compares its two outputs: its title, and how many requests changed in which way.

    ``same`` is the name of the change of rows that are equal.
    """

    title: str
    facts: Sequence[Fact]
    same: str


class RunView(Struct, frozen=True):
    """One run: when it began, how it ended in words, its numbers, and its course if that is drawn."""

    started: str
    ending: str
    is_good: bool
    facts: Sequence[Fact]
    reasons: Sequence[str]
    chart: Chart | None


class OutputView(Struct, frozen=True):
    """One output, with the end of its path. ``without_runs`` says why there are no runs, else empty."""

    name: str
    path: str
    models: Sequence[str]
    facts: Sequence[Fact]
    runs: Sequence[RunView]
    without_runs: str
    versions: str


class FailureGroup(Struct, frozen=True):
    """Failed requests with the same code and, but for numbers and quoted text, the same message.

    ``ids`` are the first of them, each with the number of its output.
    """

    code: str
    count: int
    example: str
    ids: Sequence[tuple[int, str]]
    meaning: str
    advice: str


class Bar(Struct, frozen=True):
    """One value of a field and how many answers have it; ``share`` is relative to all answers, 0 to 100."""

    label: str
    count: int
    share: float


class FieldView(Struct, frozen=True):
    """The values of one field of structured answers: ``bars``, or else ``facts`` such as its median."""

    name: str
    kind: str
    count: int
    bars: Sequence[Bar] = ()
    facts: Sequence[Fact] = ()
    others: int = 0


class PageView(Struct, frozen=True):
    """All that is shown apart from the table: the part of the page that needs no script."""

    title: str
    generated: str
    outputs: Sequence[OutputView]
    failures: Sequence[FailureGroup]
    failures_left_out: int
    fields: Sequence[FieldView]
    notes: Sequence[str]
    total: int
    footer: str
    comparison: ComparisonView | None = None


class TableHead(Struct, frozen=True):
    """What the script needs to know before it reads the rows: the names that the columns number.

    ``same`` is the one of ``changes`` that rows have in which nothing differs; empty without a comparison.
    """

    statuses: Sequence[str]
    codes: Sequence[str]
    verdicts: Sequence[str]
    models: Sequence[str]
    outputs: Sequence[str]
    columns: Sequence[str]
    changes: Sequence[str]
    same: str
    total: int
    has_text: bool
