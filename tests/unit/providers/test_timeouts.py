"""Timeouts: which one applies when, what resets it, and its message."""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest

from batch.errors import AttemptError
from batch.providers.autonomous_provider import AutonomousAI
from batch.providers.client import HttpClient
from batch.providers.credentials import Credentials
from batch.providers.generator_api import FinishReason
from batch.providers.timeouts import Alarm, Deadlines, Timeouts, Watch
from batch.records import Failure, Outcome, Reply, Request
from batch.testing import LAST_CHUNK, Drip, FaultServer, Pause, Send, Stall, chunk, delta, finish, head
from tests.support.transport_support import openai_endpoint

if TYPE_CHECKING:
    from batch.testing import Action, Script

LIMITS = Timeouts(connect=1, first_byte=10, idle=5, total=100, finish=2)
TICK = 0.05
REQUEST = Request("a", "f", "m", "m", ({"role": "user", "content": "?"},))


# The state machine, in numbers


def test_the_timeouts_follow_one_another() -> None:
    deadlines = Deadlines(LIMITS, 1000)
    assert deadlines.due == 1001
    deadlines.connected(1000.5)
    assert deadlines.due == 1010.5
    deadlines.received(1004)
    assert (deadlines.due, deadlines.first_byte) == (1009, 4)
    deadlines.received(1008)
    assert (deadlines.due, deadlines.first_byte) == (1013, 4)
    deadlines.finished(1009)
    assert deadlines.due == 1011
    deadlines.finished(1010)
    assert deadlines.due == 1011, "the grace begins once"


def test_the_total_limit_is_over_everything() -> None:
    deadlines = Deadlines(Timeouts(connect=1, first_byte=10, idle=5, total=12), 0)
    deadlines.connected(1)
    assert deadlines.due == 11
    deadlines.received(10)
    assert deadlines.due == 12


def test_a_connection_is_made_once() -> None:
    deadlines = Deadlines(LIMITS, 0)
    deadlines.connected(0)
    deadlines.connected(9)  # a fresh connection in place of a stale one
    assert deadlines.due == 10


def test_no_limit_is_no_limit() -> None:
    deadlines = Deadlines(Timeouts(connect=None, first_byte=None, idle=None), 0)
    assert deadlines.due == math.inf
    deadlines.connected(1)
    deadlines.received(10**9)
    assert deadlines.due == math.inf


def test_by_default_an_answer_may_take_as_long_as_it_flows() -> None:
    assert Timeouts() == Timeouts(connect=10, first_byte=300, idle=120, total=None, finish=1)


@pytest.mark.parametrize(
    ("steps", "code", "message"),
    [
        ([], "connect", "no connection within 1 s (timeouts.connect)"),
        (["connected"], "first_byte_timeout", "no model output within 10 s (timeouts.first_byte)"),
        (["connected", "received"], "idle_timeout", "no further model output within 5 s (timeouts.idle)"),
        (
            ["connected", "received", "finished"],
            "truncated",
            "the body did not end within 2 s (timeouts.finish)",
        ),
    ],
)
def test_an_expired_timeout_names_its_phase_and_length(steps: list[str], code: str, message: str) -> None:
    deadlines = Deadlines(LIMITS, 0)
    for step in steps:
        getattr(deadlines, step)(0)
    assert deadlines.expired(deadlines.due) == (code, message)


def test_the_total_limit_says_so_too() -> None:
    deadlines = Deadlines(Timeouts(connect=1, total=0.25), 0)
    assert deadlines.expired(0.25) == ("total_timeout", "not finished within 0.25 s (timeouts.total)")


def test_the_time_of_a_slow_reader_is_not_the_server_s() -> None:
    deadlines = Deadlines(LIMITS, 0)
    deadlines.connected(0)
    deadlines.received(1)
    deadlines.paused(1000)
    assert deadlines.due == 1006
    deadlines.received(1001)
    deadlines.received(1098)
    assert deadlines.due == 1100, "nor is it counted in the total"


# The alarm


@pytest.mark.anyio
async def test_the_alarm_rings_when_the_limits_have_moved_nearer() -> None:
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(Timeouts(connect=60, first_byte=TICK), loop.time())
    rung = anyio.Event()
    alarm = Alarm(Watch(loop), deadlines)
    began = loop.time()
    alarm.set(rung.set)
    deadlines.connected(loop.time())
    alarm.moved()
    with anyio.fail_after(10):
        await rung.wait()
    assert alarm.has_rung
    assert loop.time() - began > 0.9 * TICK


@pytest.mark.anyio
async def test_the_alarm_stays_silent_while_they_move_away_and_once_it_is_dropped() -> None:
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(Timeouts(idle=2 * TICK), loop.time())
    alarm = Alarm(Watch(loop), deadlines)
    alarm.set(lambda: None)
    for _ in range(8):
        deadlines.received(loop.time())
        alarm.moved()
        await anyio.sleep(TICK / 2)
    assert not alarm.has_rung
    alarm.drop()
    await anyio.sleep(4 * TICK)
    assert not alarm.has_rung


@pytest.mark.anyio
async def test_an_alarm_that_is_set_too_late_rings_at_once() -> None:
    loop = asyncio.get_running_loop()
    rung: list[bool] = []
    alarm = Alarm(Watch(loop), Deadlines(Timeouts(connect=1), loop.time() - 1))
    alarm.set(lambda: rung.append(True))
    assert rung == [True]
    assert alarm.has_rung


@pytest.mark.anyio
async def test_one_timer_rings_each_alarm_in_its_turn() -> None:
    loop = asyncio.get_running_loop()
    watch, began = Watch(loop), loop.time()
    send, receive = anyio.create_memory_object_stream[int](3)
    with send, receive, anyio.fail_after(10):
        for place in (3, 1, 2):
            alarm = Alarm(watch, Deadlines(Timeouts(connect=place * TICK), began))
            alarm.set(partial(send.send_nowait, place))
        rung = [await receive.receive() for _ in range(3)]
    assert rung == [1, 2, 3]
    assert loop.time() - began > 2.9 * TICK


@pytest.mark.anyio
async def test_a_watch_that_is_closed_leaves_no_timer_behind() -> None:
    loop = asyncio.get_running_loop()
    watch = Watch(loop)
    alarm = Alarm(watch, Deadlines(Timeouts(connect=TICK), loop.time()))
    alarm.set(lambda: None)
    watch.close()
    await anyio.sleep(2 * TICK)
    assert not alarm.has_rung


# Over the wire


async def ask(timeouts: Timeouts, *script: Action) -> Outcome:
    async with FaultServer(script) as server, HttpClient(timeouts) as client:
        with anyio.fail_after(5):
            return await openai_endpoint(client, server.url, Credentials()).complete(REQUEST)


def code_of(outcome: Outcome) -> str:
    return outcome.code if isinstance(outcome, Failure) else "succeeded"


@pytest.mark.anyio
@pytest.mark.usefixtures("both_paths")
@pytest.mark.parametrize(
    "output",
    [
        delta("a"),
        delta(reasoning_content="a"),
        delta(reasoning="a"),
        delta(refusal="a"),
        delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": "a"}}]),
    ],
    ids=["text", "reasoning_content", "reasoning", "refusal", "tool calls"],
)
async def test_any_model_output_ends_first_byte_and_resets_idle(output: bytes) -> None:
    piece = Send(chunk(output))
    slow: list[Action] = [piece, Pause(TICK)] * 6
    limits = Timeouts(first_byte=4 * TICK, idle=4 * TICK)
    end = Send(chunk(delta("!") + finish()) + LAST_CHUNK)
    outcome = await ask(limits, Send(head()), *slow, end)
    assert isinstance(outcome, Reply)
    assert outcome.total > 4 * TICK


@pytest.mark.anyio
@pytest.mark.usefixtures("both_paths")
@pytest.mark.parametrize("output", [b": ping\n\n", delta(""), b"event: ping\ndata: {}\n\n", b"x"], ids=repr)
async def test_other_data_resets_no_timeout(output: bytes) -> None:
    drip = Drip(chunk(output), TICK / 10)
    limits = Timeouts(first_byte=TICK, idle=TICK)
    assert code_of(await ask(limits, Send(head()), drip)) == "first_byte_timeout"
    assert code_of(await ask(limits, Send(head() + chunk(delta("a"))), drip)) == "idle_timeout"


@pytest.mark.anyio
@pytest.mark.usefixtures("both_paths")
async def test_the_total_limit_ends_an_answer_that_flows() -> None:
    flow = Drip(chunk(delta("a")), TICK / 10)
    outcome = await ask(Timeouts(total=3 * TICK), Send(head()), flow)
    assert isinstance(outcome, Failure)
    assert outcome.code == "total_timeout"
    assert set(outcome.partial_text or "") == {"a"}
    assert outcome.first_byte is not None
    assert outcome.first_byte < 2.9 * TICK < outcome.total


@pytest.mark.anyio
@pytest.mark.usefixtures("both_paths")
async def test_a_whole_reply_has_until_the_first_limit() -> None:
    start = Send(head(200, content_type="application/json", content_length="99") + b'{"choices": [')
    assert code_of(await ask(Timeouts(first_byte=TICK), start, Stall())) == "first_byte_timeout"


@pytest.mark.anyio
@pytest.mark.usefixtures("both_paths")
async def test_an_endless_name_lookup_is_a_failed_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hangs(*_: object, **__: object) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hangs)
    async with HttpClient(Timeouts(connect=TICK)) as client:
        provider = openai_endpoint(client, "http://endpoint.test", Credentials())
        with anyio.fail_after(5):
            assert code_of(await provider.complete(REQUEST)) == "connect"


@pytest.mark.anyio
@pytest.mark.usefixtures("both_paths")
async def test_a_slow_reader_of_a_generator_exceeds_no_timeout() -> None:
    script: Script = [
        Send(head() + chunk(delta("a"))),
        Pause(TICK),
        Send(chunk(delta("b") + finish()) + LAST_CHUNK),
    ]
    limits = Timeouts(first_byte=5, idle=4 * TICK, total=8 * TICK)
    pieces = []
    async with FaultServer(script) as server:
        async for piece in AutonomousAI.create_async_generator(
            "llama", [], stream=True, base_url=server.url, timeouts=limits
        ):
            pieces.append(piece)
            await anyio.sleep(5 * TICK)
    assert pieces == ["a", "b", FinishReason("stop")]


@pytest.mark.anyio
@pytest.mark.usefixtures("both_paths")
async def test_a_server_that_falls_silent_ends_a_generator_all_the_same() -> None:
    async with FaultServer([Send(head() + chunk(delta("a"))), Stall()]) as server:
        pieces = AutonomousAI.create_async_generator(
            "llama", [], stream=True, base_url=server.url, timeouts=Timeouts(idle=TICK)
        )
        assert await anext(pieces) == "a"
        with pytest.raises(AttemptError, match="idle_timeout") as caught:
            await anext(pieces)
    assert caught.value.failure.partial_text == "a"
