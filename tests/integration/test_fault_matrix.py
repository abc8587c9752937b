"""Every row of the fault matrix, at every position that it names, against a real server on loopback."""

from __future__ import annotations

import asyncio
import math
import os
import resource
import socket
import ssl
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
import trustme

from batch.providers import aiohttp_check
from batch.providers.client import HttpClient
from batch.providers.credentials import Credentials
from batch.records import Outcome, Reply, Request, Verdict
from batch.scheduling.decisions import CircuitOpened, Failed, Park, RetryAt, Suspend
from batch.scheduling.retry import RetryPolicy
from batch.scheduling.target_queue import TargetQueue
from batch.testing import FaultServer
from tests.docs import make_fault_table
from tests.support.fault_matrix import ROWS
from tests.support.fault_support import ATTEMPTS, FRAMINGS, SAID, Case, Framing, Row
from tests.support.transport_support import autonomous_endpoint, openai_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch.protocols import Provider
    from batch.providers.dialect_endpoint import DialectEndpoint
    from batch.scheduling.task import Task
    from batch.testing import Received, Script

pytestmark = pytest.mark.anyio

OK = Reply("fine", Verdict.COMPLETE, "stop")


@dataclass
class Fate:
    """The outcome of one request."""

    letter: str
    code: str
    attempts: int
    last: Outcome
    waits: list[float]


def request(name: str = "a") -> Request:
    return Request(name, "f", "m", "llama", ({"role": "user", "content": "?"},))


async def fate_of(provider: Provider) -> Fate:
    """Send one request like the engine, on an endpoint that works for others; never wait."""
    policy = RetryPolicy(max_attempts=ATTEMPTS)
    requests = iter([request("pilot"), request("other"), request(), *map(request, "bcdefg")])
    queue = TargetQueue("m", requests, limit=2, policy=policy, outage=1800, random=lambda: 0.5)
    pilot, now = taken(queue, 0.0), 0.0
    queue.settle(pilot, OK, now)
    taken(queue, now)  # the other stays in flight
    task = taken(queue, now)
    waits: list[float] = []
    while True:
        task.attempts += 1
        outcome = await provider.complete(task.request)
        charged = len(task.failures)
        decided = queue.settle(task, outcome, now)
        if isinstance(outcome, Reply):
            return Fate("S", "", task.attempts, outcome, waits)
        if any(isinstance(each, Suspend) for each in decided):
            decided = queue.settle(taken(queue, now), OK, now)  # the proof that the request is at fault
        for each in decided:
            if isinstance(each, Failed):
                again = {1: "F", ATTEMPTS: "R"}.get(task.attempts, "R×1")
                assert each.verdict.retryable is (again != "F")
                return Fate(again, each.verdict.code, task.attempts, outcome, waits)
        until = next((each.until for each in decided if isinstance(each, Park | CircuitOpened)), None)
        retry = next((each.at for each in decided if isinstance(each, RetryAt)), None)
        if any(isinstance(each, Park | CircuitOpened) for each in decided) or retry is None:
            waits += [until - now] if until is not None else []
            return Fate("H", outcome.code, task.attempts, outcome, waits)
        if len(task.failures) == charged and task.attempts == ATTEMPTS:
            return Fate("W", outcome.code, task.attempts, outcome, waits)
        waits.append(retry - now)
        if outcome.code == "fd_limit":
            return Fate("H", outcome.code, task.attempts, outcome, waits)
        now = retry
        assert taken(queue, now) is task


def taken(queue: TargetQueue, now: float) -> Task:
    task = queue.take(now)
    assert task is not None
    return task


# Staging


CA = trustme.CA()


def certificate(setting: str) -> ssl.SSLContext | None:
    """The server's side of TLS; ``None`` where there is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if setting == "self-signed":
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    elif setting == "expired":
        past = datetime(2020, 1, 1, tzinfo=UTC)
        CA.issue_cert("127.0.0.1", not_before=past, not_after=past.replace(year=2021)).configure_cert(context)
    elif setting == "another's":
        CA.issue_cert("elsewhere.test").configure_cert(context)
    else:
        return None
    return context


TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CA.configure_trust(TRUSTING)


def nobody() -> str:
    """An address without a server."""
    with socket.socket() as taken_and_left:
        taken_and_left.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken_and_left.getsockname()[1]}"


def base_url(case: Case, server: FaultServer) -> str:
    return {
        "refused": nobody(),
        "unknown host": "http://nowhere.invalid",
        "no handshake": server.url.replace("http:", "https:"),
        "proxied": "http://endpoint.invalid",
        "tunnelled": "https://endpoint.invalid",
        "no proxy": "https://endpoint.invalid",
    }.get(case.setting, server.url)


def proxy(case: Case, server: FaultServer) -> str | None:
    return {"proxied": server.url, "tunnelled": server.url, "no proxy": nobody()}.get(case.setting)


@contextmanager
def no_descriptors() -> Iterator[None]:
    """While this is active, the process can open nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def script_of(case: Case, framing: Framing) -> list[Script]:
    scripts = [case.play(framing)]
    if case.before is not None:
        scripts.insert(0, case.before)
    return scripts if case.then is None else [*scripts, case.then]


KINDS: dict[str, Callable[..., DialectEndpoint]] = {
    "autonomous": autonomous_endpoint,
    "openai": openai_endpoint,
}
STAGES = [
    pytest.param(
        row, case, framing, dialect, id=f"{row.number}-{case.name}-{case.at}-{framing.name}-{dialect}"
    )
    for row in ROWS
    for case in row.cases
    for framing, dialect in [*((framing, "openai") for framing in FRAMINGS), (FRAMINGS[0], "autonomous")]
    if case.at or framing is FRAMINGS[0]
    for named in [(str(row.number), case.name, str(case.at), framing.name, dialect)]
]


@pytest.mark.parametrize(
    ("row", "case", "framing"),
    [
        pytest.param(row, case, FRAMINGS[0], id=f"{row.number}-{case.name}-{case.at}")
        for row in ROWS
        for case in row.cases
    ],
)
async def test_the_matrix_by_aiohttp_s_public_interface(
    row: Row, case: Case, framing: Framing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each case in one framing: the others differ in what the decoder sees, which is the same code."""
    monkeypatch.setattr(aiohttp_check, "mismatch", lambda: "hidden by a test")
    await test_the_matrix(row, case, framing, "openai")


@pytest.mark.parametrize(("row", "case", "framing", "dialect"), STAGES)
async def test_the_matrix(row: Row, case: Case, framing: Framing, dialect: str) -> None:
    tasks = asyncio.all_tasks()
    async with FaultServer(*script_of(case, framing), tls=certificate(case.setting)) as server:
        fate = await staged(case, server, KINDS[dialect])
        await until(lambda: server.open_connections == 0)  # not a socket is left
    await until(lambda: asyncio.all_tasks() == tasks)  # nor a task
    check_outcome(row, case, fate)
    check_requests(row, case, server)


async def staged(case: Case, server: FaultServer, kind: Callable[..., DialectEndpoint]) -> Fate:
    """Ask once as the engine would, with everything in its place; it may take time, but not long."""
    client = HttpClient(
        case.timeouts,
        proxy=proxy(case, server),
        tls=TRUSTING,
        max_event=case.max_event,
        max_body=case.max_body,
    )
    with ExitStack() as stack:
        async with client:
            provider = kind(client, base_url(case, server), Credentials("a key"))
            if case.before is not None:
                assert isinstance(await provider.complete(request("pilot")), Reply)
            if case.setting == "no descriptors":
                stack.enter_context(no_descriptors())
            with anyio.fail_after(8):
                return await fate_of(provider)


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop process what has happened, for at most a second."""
    with anyio.fail_after(1):
        while not condition():
            await anyio.lowlevel.checkpoint()


def check_outcome(row: Row, case: Case, fate: Fate) -> None:
    assert (fate.letter, fate.code) == (row.letter, case.code or row.code), fate.last
    if isinstance(fate.last, Reply):
        assert (fate.last.verdict, fate.last.text) == (row.verdict, SAID[8])
    elif "gzip" not in case.name:
        text = SAID.get(case.at, "") if case.text is None else case.text
        assert (fate.last.partial_text or "") == text, "no partial text is lost"
    low, high = case.wait or (0, math.inf)
    assert all(low <= wait <= high for wait in fate.waits)
    assert case.wait is None or fate.waits, "it waits at all"


def check_requests(row: Row, case: Case, server: FaultServer) -> None:
    """How often the server was asked, and that each time it was shown the whole request and nothing else."""
    asked = server.requests[1:] if case.before is not None else server.requests
    if case.at or case.setting in ("proxied", "no descriptors"):
        in_all = row.requests if case.setting != "no descriptors" else 0
        assert len(asked) == (case.requests or in_all)
    assert all(is_whole(received) for received in asked)


def is_whole(received: Received) -> bool:
    if received.method == "CONNECT":
        return received.body == b"" and "authorization" not in received.headers
    return received.method == "POST" and received.messages == [{"role": "user", "content": "?"}]


def test_every_position_that_a_row_names_is_played() -> None:
    for row in ROWS:
        if row.at == "any":
            continue
        first, _, last = row.at.partition("–")
        named = set(range(int(first), int(last or first) + 1))
        played = {case.at for case in row.cases}
        assert played == named - NO_EVENT_THERE.get(row.number, set()), row.number


NO_EVENT_THERE: dict[int | str, set[int]] = {18: {4, 6}, "18b": {4, 6}, 19: {4, 6}}
"""Rows of whole events, which cannot stand inside another."""


def test_the_page_in_the_documentation_is_made_from_these_rows() -> None:
    assert make_fault_table.PAGE.read_text(encoding="utf-8") == make_fault_table.page()
