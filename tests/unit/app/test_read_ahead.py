"""Requests are read a few at a time: in order, no more than said, and nothing is lost with an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.app.run.read_ahead import AHEAD, PAUSE, read_ahead
from batch.records import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def request(name: str) -> Request:
    return Request(name, "0" * 32, "m", "m", ())


REQUESTS = [request(f"r{number}") for number in range(3 * AHEAD)]


class Source:
    """An iterator that counts what is taken from it, at ``seconds`` each by its own clock."""

    def __init__(self, items: Iterable[Request | None], seconds: float = 0.0) -> None:
        self._items = iter(items)
        self._seconds = seconds
        self.now = 0.0
        self.taken = 0

    def __iter__(self) -> Iterator[Request | None]:
        return self

    def __next__(self) -> Request | None:
        self.now += self._seconds
        item = next(self._items)
        self.taken += 1
        return item

    def clock(self) -> float:
        return self.now


@given(st.lists(st.sampled_from([None, *REQUESTS]), max_size=60))
def test_what_is_read_is_yielded_in_its_order(items: list[Request | None]) -> None:
    assert list(read_ahead(iter(items))) == items


def test_a_few_requests_are_read_at_once() -> None:
    source = Source(REQUESTS)
    ahead = read_ahead(source, source.clock)
    assert source.taken == 0
    assert (next(ahead), source.taken) == (REQUESTS[0], 16)
    assert [next(ahead) for _ in range(15)] == REQUESTS[1:16]
    assert source.taken == 16
    assert (next(ahead), source.taken) == (REQUESTS[16], 32)


def test_what_takes_long_to_read_is_read_one_at_a_time() -> None:
    source = Source(REQUESTS, PAUSE)
    ahead = read_ahead(source, source.clock)
    assert [(next(ahead), source.taken) for _ in range(3)] == list(zip(REQUESTS[:3], (1, 2, 3), strict=True))


def test_a_pause_is_passed_on_at_once() -> None:
    source = Source([REQUESTS[0], None, None, REQUESTS[1]])
    ahead = read_ahead(source, source.clock)
    assert [(next(ahead), source.taken) for _ in range(4)] == [
        (REQUESTS[0], 2),
        (None, 2),
        (None, 3),
        (REQUESTS[1], 4),
    ]


def test_an_error_comes_after_the_requests_that_were_read_before_it() -> None:
    def failing() -> Iterator[Request | None]:
        yield from REQUESTS[:3]
        raise ValueError("the file is gone")

    ahead = read_ahead(failing())
    assert [next(ahead) for _ in range(3)] == REQUESTS[:3]
    with pytest.raises(ValueError, match="the file is gone"):
        next(ahead)
