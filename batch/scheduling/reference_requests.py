"""Requests that are known to work on a target: with them the runner checks whether an endpoint still does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch.records import Request

MOST = 3
"""References that are kept: where one is not answered any more, the next is tried."""

SMALL = 2000
"""Characters up to which a request is small enough: no smaller one is looked for."""


def size_of(request: Request) -> int:
    """About how many characters a request's messages have: what it costs, near enough to compare."""
    size = 0
    for message in request.messages:
        content = message.get("content")
        size += len(content if content.__class__ is str else str(content))
    return size


class References:
    """The smallest requests that have succeeded in this run; at first, one that an earlier run has left."""

    def __init__(self, earlier: Request | None = None) -> None:
        self._kept: list[tuple[int, Request]] = []
        self._earlier = earlier
        self.are_small = False
        self._turn = 0

    def __bool__(self) -> bool:
        return bool(self._kept) or self._earlier is not None

    @property
    def has_succeeded(self) -> bool:
        """Whether any request has succeeded in this run."""
        return bool(self._kept)

    def learn(self, request: Request) -> None:
        """The request has succeeded. Nothing is left to learn once ``are_small``."""
        size = size_of(request)
        if len(self._kept) < MOST or size < self._kept[-1][0]:
            self._kept.append((size, request))
            self._kept.sort(key=lambda pair: pair[0])
            del self._kept[MOST:]
            self.are_small = len(self._kept) == MOST and self._kept[-1][0] <= SMALL

    def first(self) -> Request:
        """The smallest."""
        self._turn = 0
        return self.next()

    def next(self) -> Request:
        """The one after the last that was given, in turn."""
        known = [request for _, request in self._kept] or _only(self._earlier)
        request = known[self._turn % len(known)]
        self._turn += 1
        return request


def _only(request: Request | None) -> list[Request]:
    return [] if request is None else [request]


class Candidates:
    """Of the requests that a run is to send, those to begin with; made while the job is planned.

    The first that did not fail in an earlier run (``first``, ``None`` where that is the job's first), then
    the smallest, then others from all over the job: a block of documents that an endpoint refuses must not
    pass for an endpoint that refuses everything. ``reference`` is the smallest that an earlier run has left
    answered.
    """

    SPREAD = 14
    """How many requests are taken from all over the job."""

    LARGEST = 64 * 1024
    """Characters of a request that is kept, since all of them stay in memory."""

    def __init__(self) -> None:
        self.reference: Request | None = None
        self._reference_size = self._smallest_size = self.LARGEST
        self.first: Request | None = None
        self._is_begun = False
        self._first_has_failed = False
        self._smallest: Request | None = None
        self._spread: list[Request] = []
        self._bound = "~"  # above all fingerprints: they are hexadecimal, and as good as random

    def answered(self, request: Request) -> None:
        """The output holds the current answer to a request."""
        if self._reference_size <= SMALL:
            return
        size = size_of(request)
        if size < self._reference_size:
            self.reference, self._reference_size = request, size

    def to_send(self, request: Request, *, has_failed: bool) -> None:
        """The run is to send a request, which may have a line of an earlier run."""
        if not self._is_begun:
            self._is_begun, self._first_has_failed = True, has_failed
        elif self._first_has_failed and not has_failed:
            self.first, self._first_has_failed = request, False
        if self._smallest_size > SMALL and (size := size_of(request)) < self._smallest_size:
            self._smallest, self._smallest_size = request, size
        if request.fingerprint < self._bound and size_of(request) <= self.LARGEST:
            self._spread.append(request)
            self._spread.sort(key=lambda each: each.fingerprint)
            if len(self._spread) > self.SPREAD:
                self._spread.pop()
                self._bound = self._spread[-1].fingerprint

    @property
    def others(self) -> Iterable[Request]:
        """The smallest and those from all over the job, each once."""
        chosen = [self._smallest, *self._spread]
        return {request.id: request for request in chosen if request is not None}.values()
