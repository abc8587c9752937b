"""Numbered items, frames and messages on a stream of bytes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.executors.delivery import Inbox, Outbox
from batch.executors.frames import (
    Cancel,
    Done,
    Down,
    Execute,
    Up,
    VersionError,
    decode_down,
    decode_up,
    encode,
)
from batch.executors.framing import Unframer, framed


def test_items_go_once_and_again_if_nothing_confirms_them() -> None:
    outbox: Outbox[str] = Outbox(2.0)
    outbox.add("a")
    outbox.add("b")
    assert outbox.due == -math.inf
    assert outbox.take(10.0) == (0, ["a", "b"])
    assert outbox.take(11.0) == (2, [])
    assert outbox.due == 12.0
    outbox.confirm(1)
    outbox.add("c")
    assert outbox.take(11.5) == (2, ["c"])
    assert outbox.take(13.5) == (1, ["b", "c"])
    outbox.confirm(3)
    assert (len(outbox), outbox.due) == (0, math.inf)


def test_a_frame_has_at_most_so_many_bytes_unless_one_item_has_more() -> None:
    outbox: Outbox[str] = Outbox(2.0, 3, len)
    for item in ("aa", "b", "cccc", "d"):
        outbox.add(item)
    assert outbox.take(10.0) == (0, ["aa", "b"])
    assert outbox.due == -math.inf
    assert outbox.take(10.0) == (2, ["cccc"])
    assert outbox.take(10.0) == (3, ["d"])
    assert outbox.due == 12.0
    assert outbox.take(12.0) == (0, ["aa", "b"])
    assert outbox.take(12.0) == (2, ["cccc"])


def test_an_item_behind_a_gap_is_dropped_and_a_repeated_one_is_not_new() -> None:
    inbox = Inbox()
    assert list(inbox.new(0, ["a", "b"])) == ["a", "b"]
    assert list(inbox.new(3, ["d"])) == []
    assert list(inbox.new(1, ["b", "c"])) == ["c"]
    assert inbox.received == 3


@given(messages=st.lists(st.binary(max_size=40)), step=st.integers(1, 60))
def test_messages_arrive_whole_however_their_bytes_are_split(messages: list[bytes], step: int) -> None:
    stream = b"".join(map(framed, messages))
    unframer = Unframer()
    pieces = (stream[start : start + step] for start in range(0, len(stream), step))
    assert [message for piece in pieces for message in unframer.feed(piece)] == messages


def test_frames_arrive_as_they_were() -> None:
    down = Down(3, 7, 2, 5, [Execute(11, b"\x00\xff"), Cancel(9)])
    up = Up(3, 8, 7, 2, [Done(11, b"x")], asks=True)
    assert decode_down(encode(down)) == down
    assert decode_up(encode(up)) == up


@pytest.mark.parametrize("data", [b"", b"\x02\x96", b"\x00"])
def test_another_version_is_refused(data: bytes) -> None:
    with pytest.raises(VersionError):
        decode_up(data)
