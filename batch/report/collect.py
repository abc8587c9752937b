"""Collects the requests of outputs into what the page shows, in one pass and in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.report.failures import Failures
from batch.report.fields import Fields
from batch.report.index import IndexPacker, Names
from batch.report.model import STATUSES, Entry, Fact, OutputView, Settings, TableHead
from batch.report.numbers import count, duration, money, percent
from batch.report.packing import TextPacker, rank
from batch.report.rows import FEW_WORDS, WORDS, Images, details, first_words, kept, texts
from batch.report.runs import views
from batch.results.statistics import Latencies, Statistics

if TYPE_CHECKING:
    from batch.records import Result
    from batch.report.model import ComparisonView, Output
    from batch.report.packing import Place

_WORDS_SHARE = 4
"""First words may take this part of the page; further rows have none."""

_MANY = 20_000
"""Rows from which on first words are few."""

_IMAGES_SHARE = 4
_LARGEST_IMAGE = 600_000
NO_HISTORY = "No history of runs is beside this output, so there is no timeline."


class Collector:
    """All that the page holds. ``add`` each output in turn, then ``finish``."""

    def __init__(self, settings: Settings, comparison: ComparisonView | None = None) -> None:
        self.settings = settings
        self.comparison = comparison
        self.views: list[OutputView] = []
        self.index = IndexPacker()
        self.texts = TextPacker(settings.max_size)
        self.failures = Failures(has_text=settings.has_text)
        self.fields = Fields()
        self.total = 0
        self.with_texts = 0
        self._images = Images(settings.max_size // _IMAGES_SHARE, _LARGEST_IMAGE)
        self._codes, self._verdicts, self._models = Names([""]), Names([""]), Names([""])
        self._changes = Names([""])

    def add(self, output: Output) -> None:
        """Add all requests of an output, and its runs."""
        number = len(self.views)
        counts = _Counts()
        for entry in output.entries:
            counts.add(entry)
            self._add(number, entry)
        runs = views(output.history, has_text=self.settings.has_text)
        self.views.append(
            OutputView(
                name=output.name,
                path="/".join(output.path.split("/")[-2:]),  # the folders above may name a user
                models=sorted(counts.models),
                facts=counts.facts(output.currency),
                runs=runs,
                without_runs="" if runs else NO_HISTORY,
                versions=_versions(output),
            )
        )

    def finish(self) -> None:
        """Pack the last rows and texts. Nothing is added after that."""
        self.index.finish()
        self.texts.finish()
        self.texts.shrink(max(0, self.settings.max_size - self.index.size))

    def head(self) -> TableHead:
        """Return the names that the rows number."""
        return TableHead(
            statuses=STATUSES,
            codes=[*self._codes],
            verdicts=[*self._verdicts],
            models=[*self._models],
            outputs=[view.name for view in self.views],
            columns=[*self.index.columns],
            changes=[*self._changes],
            same="" if self.comparison is None else self.comparison.same,
            total=self.total,
            has_text=self.settings.has_text,
        )

    def _add(self, output: int, entry: Entry) -> None:
        result, has_text = entry.result, self.settings.has_text
        self.total += 1
        if result is not None and not self._is_earlier(output):
            if entry.status == "failed" and result.error is not None:
                self.failures.add(output, entry.id, result.error)
            if has_text and result.parsed is not None:
                self.fields.add(result.parsed)
        metadata = result.metadata if has_text and result is not None else {}
        columns = kept(entry.id, metadata) if metadata else {}
        if self.index.add(self._row(output, entry, self._place(entry)), columns):
            self.texts.shrink(max(0, self.settings.max_size - self.index.size))

    def _is_earlier(self, output: int) -> bool:
        """Return whether the output is compared with a later one, whose failures and fields are shown."""
        return self.comparison is not None and output == 0

    def _is_first(self, entry: Entry) -> bool:
        """Return whether the texts of a row are kept before others."""
        return entry.status == "failed" or (
            self.comparison is not None and entry.change != self.comparison.same
        )

    def _place(self, entry: Entry) -> Place | None:
        value = texts(entry, self._images) if self.settings.has_text else details(entry, has_text=False)
        if not value:
            return None
        self.with_texts += 1
        return self.texts.add(rank(entry.id, is_first=self._is_first(entry)), value)

    def _row(self, output: int, entry: Entry, place: Place | None) -> tuple[object, ...]:
        result = entry.result
        code = result.error.code if result and result.error and entry.status == "failed" else ""
        usage = result.usage if result else None
        return (
            entry.id,
            output,
            STATUSES.index(entry.status),
            self._changes.number(entry.change),
            self._codes.number(code),
            self._verdicts.number(_verdict(result)),
            self._models.number((result.target or result.model) if result else entry.target),
            usage.prompt_tokens if usage else None,
            usage.completion_tokens if usage else None,
            result.cost if result else None,
            result.timings.total if result else None,
            self._words(entry),
            -1 if place is None else place.block,
            -1 if place is None else place.at,
        )

    def _words(self, entry: Entry) -> str:
        if not self.settings.has_text:
            return ""
        is_full = self.index.words_size > self.settings.max_size // _WORDS_SHARE
        if is_full and entry.status != "failed":
            return ""
        return first_words(entry, WORDS if self.total < _MANY else FEW_WORDS)


class _Counts:
    """The numbers of one output."""

    def __init__(self) -> None:
        self.models: set[str] = set()
        self._statistics = Statistics()
        self._statuses = dict.fromkeys(STATUSES, 0)
        self._stale = 0
        self._latencies = Latencies()

    def add(self, entry: Entry) -> None:
        self._statuses[entry.status] += 1
        self._stale += entry.stale
        result = entry.result
        if result is None:
            return
        self.models.add(result.model)
        self._statistics.add(result)
        if entry.status == "succeeded":
            self._latencies.add(result)

    def facts(self, currency: str | None) -> list[Fact]:
        done, failed, pending = (self._statuses[status] for status in STATUSES)
        total, sums = done + failed + pending, self._statistics
        facts = [
            Fact("succeeded", count(done), f"{percent(done, total)} of {count(total)}"),
            Fact("failed", count(failed), percent(failed, total) if failed else "", is_bad=failed > 0),
        ]
        if pending:
            stale = f"{count(self._stale)} changed since" if self._stale else ""
            facts.append(Fact("pending", count(pending), stale))
        facts.append(Fact("tokens in", count(sums.prompt_tokens)))
        facts.append(Fact("tokens out", count(sums.completion_tokens)))
        if sums.priced:
            unknown = f"that of {count(sums.unpriced)} unknown" if sums.unpriced else ""
            facts.append(Fact("cost", money(sums.cost, currency), unknown))
        if (latencies := self._latencies.percentiles()) is not None:
            median, slow = latencies
            facts.append(Fact("median latency", duration(median), f"90th percentile {duration(slow)}"))
        return facts


def _verdict(result: Result | None) -> str:
    return "" if result is None or result.verdict is None else str(result.verdict)


def _versions(output: Output) -> str:
    versions = output.history[-1].summary.versions if output.history else {}
    return ", ".join(f"{name} {version}" for name, version in versions.items())
