"""Reference requests: requests known to work on a target, with which the runner checks its endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch.records import Request

MAX_REFERENCES = 3
"""Number of references that are kept: if one fails, the next is tried."""

SMALL = 2000
"""Size in characters below which a request is small enough: no smaller one is searched."""


def size_of(request: Request) -> int:
    """Return the approximate size of a request's messages in characters, to compare costs."""
    size = 0
    for message in request.messages:
        content = message.get("content")
        size += len(content if content.__class__ is str else str(content))
    return size


class References:
    """The smallest requests that have succeeded in this run; initially one of an earlier run."""

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
        """Add a request that has succeeded. Once ``are_small``, there is nothing to learn."""
        size = size_of(request)
        if len(self._kept) < MAX_REFERENCES or size < self._kept[-1][0]:
            self._kept.append((size, request))
            self._kept.sort(key=lambda pair: pair[0])
            del self._kept[MAX_REFERENCES:]
            self.are_small = len(self._kept) == MAX_REFERENCES and self._kept[-1][0] <= SMALL

    def first(self) -> Request:
        """Return the smallest reference."""
        self._turn = 0
        return self.next()

    def next(self) -> Request:
        """Return the reference after the last returned one, in turn."""
        known = [request for _, request in self._kept] or _only(self._earlier)
        request = known[self._turn % len(known)]
        self._turn += 1
        return request


def _only(request: Request | None) -> list[Request]:
    return [] if request is None else [request]


class Candidates:
    """The requests to send first, selected while the job is planned.

    These are: the first that did not fail in an earlier run (``first``; ``None`` if that is the job's first),
    the smallest, and others from all over the job. A block of documents that an endpoint refuses must not
    look like an endpoint that refuses everything. ``reference`` is the smallest request that an earlier run
    has sent successfully.
    """

    SPREAD = 14
    """Number of requests that are sampled from the whole job."""

    LARGEST = 64 * 1024
    """Maximum size in characters of a kept request, since all of them stay in memory."""

    def __init__(self) -> None:
        self.reference: Request | None = None
        self._reference_size = self._smallest_size = self.LARGEST
        self.first: Request | None = None
        self._is_begun = False
        self._first_has_failed = False
        self._smallest: Request | None = None
        self._spread: list[Request] = []
        self._bound = "~"  # greater than all fingerprints, which are hexadecimal and practically random

    def answered(self, request: Request) -> None:
        """Add a request whose current answer is in the output."""
        if self._reference_size <= SMALL:
            return
        size = size_of(request)
        if size < self._reference_size:
            self.reference, self._reference_size = request, size

    def to_send(self, request: Request, *, has_failed: bool) -> None:
        """Add a request that the run has to send; an earlier run may have a line for it."""
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
        """The smallest and the sampled requests, each once."""
        chosen = [self._smallest, *self._spread]
        return {request.id: request for request in chosen if request is not None}.values()
