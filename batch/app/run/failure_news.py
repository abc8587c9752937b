"""Decides which failures a quiet run names: new ones, and once a week all that are open.

A failure is new until a quiet run has named it. It is new again if its request was changed, if it succeeded
in between, or if a temporary failure has become final. All others are known, and only counted.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from batch.app.run.open_failures import OpenFailure

LIST_AGAIN_AFTER = timedelta(days=6, hours=12)
"""The age of the last list at which all open failures are listed again.

It is half a day less than a week: a nightly run ends at another minute each time.
"""


NAMED = 20
"""Failures that are named; further ones are counted."""


class Reported(Struct, frozen=True):
    """What quiet runs have reported: the keys of failures, and when they last listed all that were open."""

    keys: frozenset[str] = frozenset()
    listed_at: datetime | None = None


NOTHING = Reported()
"""Before the first report."""


class News(Struct, frozen=True):
    """What a quiet run says of failures. ``again`` are known ones that it lists again.

    ``known`` counts those that are not listed. ``is_silent``: the run prints nothing at all. ``reported`` is
    what has been reported once this has been printed.
    """

    new: tuple[OpenFailure, ...]
    again: tuple[OpenFailure, ...]
    known: int
    is_silent: bool
    reported: Reported

    @property
    def named(self) -> tuple[OpenFailure, ...]:
        """Return the failures that are named, new ones first."""
        return (*self.new, *self.again)[:NAMED]


def news_of(
    failures: Iterable[OpenFailure],
    reported: Reported,
    now: datetime,
    *,
    unlisted: int = 0,
    is_whole: bool = True,
    is_asked: bool = False,
    is_trouble: bool = False,
) -> News:
    """Return the news of the open ``failures`` at the end of a run.

    ``unlisted`` counts further ones, which may be new. Unless ``is_whole``, there
    may be others. ``is_asked``: the user asked to send failed requests again, so their failures are new.
    ``is_trouble``: the run has to say something else, too.
    """
    new: list[OpenFailure] = []
    old: list[OpenFailure] = []
    for failure in failures:
        (new if _is_new(failure, reported, is_asked=is_asked) else old).append(failure)
    is_due = is_whole and bool(old) and _is_due(reported.listed_at, now)
    again = old if is_due else []
    is_list = is_whole and len(again) == len(old)
    return News(
        new=tuple(new),
        again=tuple(again),
        known=len(old) - len(again) + unlisted,
        is_silent=not (new or again or unlisted or is_trouble),
        reported=_after(new, old, reported, now if is_list else reported.listed_at, is_whole=is_whole),
    )


def _is_new(failure: OpenFailure, reported: Reported, *, is_asked: bool) -> bool:
    if failure.key not in reported.keys:
        return True
    return failure.is_of_this_run and (is_asked or failure.runs == 1)


def _is_due(listed_at: datetime | None, now: datetime) -> bool:
    """Return whether the last list is too old. One from the future was made by a clock that was wrong."""
    return listed_at is None or not timedelta() <= now - listed_at < LIST_AGAIN_AFTER


def _after(
    new: Iterable[OpenFailure],
    old: Iterable[OpenFailure],
    before: Reported,
    listed_at: datetime | None,
    *,
    is_whole: bool,
) -> Reported:
    """Return what has been reported then. Failures that are no longer open are forgotten."""
    keys = frozenset(failure.key for failure in (*new, *old)) | (frozenset() if is_whole else before.keys)
    return Reported(keys, listed_at) if keys else NOTHING
