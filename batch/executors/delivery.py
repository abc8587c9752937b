"""Numbered items from one side to the other: each arrives once and in order, whatever the transport loses."""

from __future__ import annotations

import math
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


T = TypeVar("T")


class Outbox(Generic[T]):
    """The items that the other side has not confirmed. Those unconfirmed for ``resend`` seconds go again.

    The items of one frame have at most ``most`` bytes by ``size``, unless the first alone has more.
    """

    def __init__(self, resend: float, most: float = math.inf, size: Callable[[T], int] = lambda _: 0) -> None:
        self._resend = resend
        self._most = most
        self._size = size
        self._items: deque[T] = deque()
        self._first = 0
        self._sent = 0
        self._sent_at = -math.inf

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: T) -> None:
        """Send an item with the next frame."""
        self._items.append(item)

    def confirm(self, number: int) -> None:
        """Forget the items that are numbered below ``number``: they have arrived."""
        while self._first < number and self._items:
            self._items.popleft()
            self._first += 1
        self._sent = max(self._sent, self._first)

    def take(self, now: float) -> tuple[int, list[T]]:
        """Return the items of the next frame, and the number of the first; there may be none."""
        start = self._first if self._is_overdue(now) else self._sent
        items = list(self._fitting(islice(self._items, start - self._first, None)))
        if items:
            self._sent, self._sent_at = start + len(items), now
        return start, items

    @property
    def due(self) -> float:
        """When a frame has to be sent: at once for new items; infinite without items."""
        if self._first + len(self._items) > self._sent:
            return -math.inf
        return self._sent_at + self._resend if self._items else math.inf

    def _fitting(self, items: Iterable[T]) -> Iterator[T]:
        total = 0
        for item in items:
            before, total = total, total + self._size(item)
            if before and total > self._most:
                return
            yield item

    def _is_overdue(self, now: float) -> bool:
        return self._sent > self._first and now >= self._sent_at + self._resend


class Inbox:
    """Counts the items that have arrived. An item behind a gap is dropped, since it will come again."""

    def __init__(self) -> None:
        self.received = 0

    def new(self, first: int, items: Sequence[T]) -> Sequence[T]:
        """Return the items that have not arrived before, in order; the first is numbered ``first``."""
        if first > self.received:
            return ()
        new = items[self.received - first :]
        self.received += len(new)
        return new
