"""The timeline of a run in a bounded number of bins; time is an argument.

It is fed about once a second with the counts of the run so far and with a snapshot of the engine. So it costs
nothing per request. What was counted since the last call goes into one bin, which is right within a second.
When the run grows beyond the last bin, the bins become twice as wide, and each two of them are merged. Bins
hold the counts of the run until their end, so that adding and merging need no arithmetic.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from batch.app.run.parked_intervals import ParkedIntervals
from batch.app.run.timeline_bin import NO_SAMPLES, Bin, Counts, Samples
from batch.results.run_record import MAX_BINS, Load, Quantiles, Timeline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch.app.run.histogram import Histogram
    from batch.events import Parked, Snapshot

PERIOD = 1.0
"""Seconds between two samples, and the width of a bin at the start."""

MAX_ENDPOINTS = 20
"""Endpoints that are recorded one by one."""

MAX_CODES = 30
"""Error codes that are recorded one by one; the rarer ones are counted as ``OTHER``."""

OTHER = "other"


class TimelineBuilder:
    """Builds a ``Timeline``. Times are seconds since the start of the run."""

    def __init__(self) -> None:
        self._width = PERIOD
        self._bins: list[Bin] = []
        self._before = 0.0
        self._parked = ParkedIntervals()

    def add(self, now: float, counts: Counts, snapshot: Snapshot | None) -> None:
        """Add what was counted since the last call, and a sample of the engine.

        ``counts`` are those of the run so far. ``snapshot`` is ``None`` if the engine does not run. A time
        before that of the last call counts as that.
        """
        now = max(now, self._before)
        at = now - min(now - self._before, PERIOD) / 2
        found = self._bin(at)
        found.counts = counts
        self._before = now
        if snapshot is not None:
            found.sample(snapshot, MAX_ENDPOINTS)
        self._parked.sample(self._recorded(snapshot), at)

    def build(self) -> Timeline:
        """Return the timeline so far."""
        bins = self._bins
        ends = [Counts(), *(each.counts for each in bins)]
        counts = [end - start for start, end in pairwise(ends)]
        names = dict.fromkeys(name for each in bins for name in each.endpoints)
        return Timeline(
            width=self._width,
            bins=len(bins),
            succeeded=[each.succeeded for each in counts],
            failed=_by_code([each.failed for each in counts]),
            attempts=[each.attempts for each in counts],
            failed_attempts=_by_code([each.failed_attempts for each in counts]),
            prompt_tokens=[each.prompt_tokens for each in counts],
            completion_tokens=[each.completion_tokens for each in counts],
            cost=[round(each.cost, 9) for each in counts],
            latency=_quantiles(each.latency for each in counts),
            first_byte=_quantiles(each.first_byte for each in counts),
            in_flight=[each.run.mean(each.run.in_flight) for each in bins],
            limit=[each.run.mean(each.run.limit) for each in bins],
            retries_waiting=[each.run.mean(each.waiting) for each in bins],
            endpoints={name: _load(each.endpoints.get(name, NO_SAMPLES) for each in bins) for name in names},
            parked=self._parked.until(self._before, self._width),
        )

    def _bin(self, at: float) -> Bin:
        while at >= self._width * MAX_BINS:
            self._widen()
        index = int(at / self._width)
        while len(self._bins) <= index:
            self._bins.append(Bin(self._bins[-1].counts if self._bins else Counts()))
        return self._bins[index]

    def _widen(self) -> None:
        self._width *= 2
        for even, odd in zip(self._bins[::2], self._bins[1::2], strict=False):
            even.merge(odd)
        self._bins = self._bins[::2]

    def _recorded(self, snapshot: Snapshot | None) -> list[Parked]:
        if snapshot is None:
            return []
        names = {load.name for load in snapshot.endpoints[:MAX_ENDPOINTS]}
        return [each for each in snapshot.parked if each.name in names]


def _by_code(counts: list[Counter[str]]) -> dict[str, list[int]]:
    """Return the counts of each bin by code, the most frequent code first."""
    total = sum(counts, Counter[str]())
    codes = [code for code, _ in total.most_common()]
    shown = codes if len(codes) <= MAX_CODES else codes[: MAX_CODES - 1]
    found = {code: [each[code] for each in counts] for code in shown}
    if len(shown) < len(codes):
        others = [each.total() - sum(each[code] for code in shown) for each in counts]
        found[OTHER] = [sum(pair) for pair in zip(others, found.get(OTHER, [0] * len(others)), strict=True)]
    return found


def _quantiles(histograms: Iterable[Histogram]) -> Quantiles:
    found = [histogram.percentiles() for histogram in histograms]
    return Quantiles(
        p50=[None if each is None else each.p50 for each in found],
        p90=[None if each is None else each.p90 for each in found],
        p99=[None if each is None else each.p99 for each in found],
    )


def _load(samples: Iterable[Samples]) -> Load:
    found = list(samples)
    return Load(
        in_flight=[each.mean(each.in_flight) for each in found],
        limit=[each.mean(each.limit) for each in found],
    )
