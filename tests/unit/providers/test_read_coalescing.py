"""Read coalescing: which streams are paused, and that no data is lost or late because of it."""

from __future__ import annotations

import asyncio
import gc
import math
from typing import TYPE_CHECKING

import anyio
import pytest
from yarl import URL

from batch.providers.aiohttp_transport import Body
from batch.providers.attempt import Attempt
from batch.providers.client import HttpClient
from batch.providers.read_coalescing import (
    FAST_READ,
    MAX_PAUSE,
    MIN_STREAMS,
    TICK,
    ReadCoalescer,
    pause_length,
)
from batch.providers.timeouts import Timeouts
from batch.records import Failure, Reply
from batch.wire.reply_decoder import ReplyDecoder
from tests.support.raw_server import raw_server
from tests.support.transport_support import TRUSTING, serving_tls
from tests.support.wire_support import DONE, delta, finish

if TYPE_CHECKING:
    from batch.records import Outcome

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
EVENTS = 60
PACE = 0.01


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Line(asyncio.ReadTransport):
    """A transport that records whether it is read."""

    def __init__(self, *, closing: bool = False) -> None:
        super().__init__()
        self.is_read = True
        self.resumed = asyncio.Event()
        self._closing = closing

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True
        self.resumed.set()

    def close(self) -> None:
        self._closing = True


@pytest.mark.parametrize(
    ("streams", "read", "age", "left", "rests"),
    [
        (MIN_STREAMS, 200, 10.0, 100.0, True),
        (MIN_STREAMS, 200, 10.0, math.inf, True),
        (MIN_STREAMS - 1, 200, 10.0, 100.0, False),  # few streams cost little
        (MIN_STREAMS, FAST_READ, 10.0, 100.0, False),  # it flows fast
        (MIN_STREAMS, 200, 0.0, 100.0, False),  # it has only begun
        (MIN_STREAMS, 200, TICK, 100.0, True),
        (MIN_STREAMS, 200, 0.9 * TICK, 100.0, False),  # longer than its age
        (MIN_STREAMS, 200, 10.0, 4 * TICK, True),
        (MIN_STREAMS, 200, 10.0, 3.9 * TICK, False),  # its deadline is near
        (MIN_STREAMS, 200, 10.0, -1.0, False),  # or over
    ],
)
async def test_which_streams_are_paused(
    streams: int, read: int, age: float, left: float, rests: bool
) -> None:
    coalescer, line = ReadCoalescer(), Line()
    coalescer.streams = streams
    coalescer.pause(line, read=read, age=age, left=left)
    assert line.is_read != rests


@pytest.mark.parametrize(
    ("age", "left", "seconds"),
    [
        (0.0, math.inf, 0.0),
        (0.06, math.inf, 0.06),  # at first, for as long as it has been streaming
        (0.1, math.inf, 0.1),
        (0.3, math.inf, 0.1),
        (0.4, math.inf, 0.1),
        (0.8, math.inf, 0.2),  # then for a quarter of that
        (1.0, math.inf, 0.25),
        (4 * MAX_PAUSE, math.inf, MAX_PAUSE),
        (1000.0, math.inf, MAX_PAUSE),
        (1000.0, 0.4, 0.1),
        (0.1, 0.2, 0.05),
        (10.0, -1.0, -0.25),
    ],
)
def test_how_long_a_stream_is_paused(age: float, left: float, seconds: float) -> None:
    assert pause_length(age, left) == pytest.approx(seconds)


async def test_a_pause_ends_and_the_ticker_with_it() -> None:
    coalescer, lines = ReadCoalescer(), [Line() for _ in range(3)]
    coalescer.streams = MIN_STREAMS
    loop = asyncio.get_running_loop()
    began = loop.time()
    for line, age in zip(lines, [4 * TICK, 8 * TICK, 1000.0], strict=True):
        coalescer.pause(line, read=1, age=age, left=math.inf)
    with anyio.fail_after(10):
        for line in lines:
            await line.resumed.wait()
    assert loop.time() - began >= MAX_PAUSE - TICK
    again = Line()
    coalescer.pause(again, read=1, age=1000.0, left=math.inf)
    with anyio.fail_after(10):
        await again.resumed.wait()


async def test_a_closing_connection_is_not_paused() -> None:
    coalescer, closed, closing, open_line = ReadCoalescer(), Line(closing=True), Line(), Line()
    coalescer.streams = MIN_STREAMS
    for line in (closed, closing, open_line):
        coalescer.pause(line, read=1, age=1000.0, left=math.inf)
    assert closed.is_read
    closing.close()
    with anyio.fail_after(10):
        await open_line.resumed.wait()
    assert not closing.is_read


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with an event now and then; ``/stall`` stops after half of them."""
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD)
    for number in range(EVENTS):
        if head.startswith(b"POST /stall") and number == EVENTS // 2:
            await reader.read()
            break
        writer.write(delta(f"{number} "))
        await asyncio.sleep(PACE)
    else:
        writer.write(finish() + DONE)
    writer.close()


async def answers(path: str, timeouts: Timeouts, *, tls: bool = False) -> list[Outcome]:
    """The outcomes of ``MIN_STREAMS`` streams at once."""
    outcomes: list[Outcome] = []
    serving = raw_server(trickle, tls=serving_tls() if tls else None)
    async with serving as port, HttpClient(timeouts, tls=TRUSTING) as client:
        route = client.route(
            URL.build(scheme="https" if tls else "http", host="127.0.0.1", port=port, path=path), {}
        )

        async def ask() -> None:
            outcomes.append(await client.complete(route, b""))

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                for _ in range(MIN_STREAMS):
                    tasks.start_soon(ask)
    return outcomes


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_slow_streams_are_read_a_few_times_and_completely(
    monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    reads = 0
    feed = ReplyDecoder.feed

    def counting(decoder: ReplyDecoder, data: bytes) -> None:
        nonlocal reads
        reads += 1
        feed(decoder, data)

    monkeypatch.setattr(ReplyDecoder, "feed", counting)
    outcomes = await answers("/", Timeouts(), tls=tls)
    expected = "".join(f"{number} " for number in range(EVENTS))
    assert [outcome.text for outcome in outcomes if isinstance(outcome, Reply)] == [expected] * MIN_STREAMS
    assert MIN_STREAMS <= reads < MIN_STREAMS * EVENTS / 2


async def test_a_pause_weakens_no_timeout() -> None:
    outcomes = await answers("/stall", Timeouts(idle=0.3))
    for outcome in outcomes:
        assert isinstance(outcome, Failure)
        assert outcome.code == "idle_timeout"
        assert outcome.total < EVENTS / 2 * PACE + 0.3 + MAX_PAUSE + 2.0  # the last term is for load
        assert outcome.partial_text == "".join(f"{number} " for number in range(EVENTS // 2))


async def test_a_continuous_stream_never_exceeds_a_timeout_that_is_hardly_longer_than_a_pause() -> None:
    outcomes = await answers("/", Timeouts(idle=0.4))
    assert [type(outcome) for outcome in outcomes] == [Reply] * MIN_STREAMS


async def test_an_attempt_leaves_no_reference_cycles() -> None:
    """Garbage in reference cycles accumulates until a collection: megabytes for a thousand streams."""
    gc.collect()
    gc.disable()
    try:
        outcomes = await answers("/", Timeouts(total=60))
        left = sum(isinstance(one, Attempt | ReplyDecoder | Body) for one in gc.get_objects())
    finally:
        gc.enable()
    assert [type(outcome) for outcome in outcomes] == [Reply] * MIN_STREAMS
    assert left == 0
