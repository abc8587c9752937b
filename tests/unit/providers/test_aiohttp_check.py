"""An unknown aiohttp is detected before anything is sent, and still works."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import pytest
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from batch.providers import aiohttp_check, aiohttp_transport
from batch.providers.http1 import Connections
from batch.providers.public_http import PublicConnections, PublicPost, PublicRoute
from batch.providers.timeouts import Alarm, Deadlines, Timeouts, Watch
from batch.testing import FaultServer
from tests.support.transport_paths import hidden
from tests.support.transport_support import GOOD, ask, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Command

pytestmark = pytest.mark.anyio


@pytest.fixture
def unchecked() -> Iterator[None]:
    """The state of a process that has opened no client yet."""
    aiohttp_check.mismatch.cache_clear()
    yield
    aiohttp_check.mismatch.cache_clear()


def wrong(*_: Any, **__: Any) -> None:
    """Replaces a method with changed behavior."""


async def opened() -> type:
    connections = aiohttp_check.connections()
    await connections.close()
    return type(connections)


@pytest.mark.usefixtures("unchecked")
async def test_this_aiohttp_passes_the_check() -> None:
    assert aiohttp_check.mismatch() == ""
    assert aiohttp_check.notice() is None
    assert await opened() is Connections


class OtherReader(aiohttp.StreamReader):
    """A parser that creates readers of another class, which is not replaced."""


def read_as_other(self: ResponseHandler, message: Any, size: int = 0) -> None:
    """Receive a head; the body's reader is of another class."""
    message[1].__class__ = OtherReader
    ResponseHandler.feed_data(self, message, size)


class Connector:
    """A connector that has no factory."""

    async def connect(self, req: object, traces: object, timeout: object) -> None:  # noqa: ASYNC109 - as aiohttp has it
        """Open a connection."""


CHANGES: list[tuple[Any, str, Any]] = [
    (aiohttp.BaseConnector, "connect", wrong),
    (aiohttp, "TCPConnector", Connector),
    (aiohttp, "ClientRequest", wrong),
    (ResponseHandler, "set_response_params", wrong),
    (ResponseHandler, "data_received", wrong),
    (ResponseHandler, "connection_made", lambda self: None),
    (ResponseHandler, "should_close", True),
    (ResponseHandler, "connection_lost", None),
    (aiohttp_transport.Line, "feed_data", read_as_other),
    (aiohttp_transport.Line, "_received", wrong),
]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("owner", "name", "changed"), CHANGES, ids=[name for _, name, _ in CHANGES])
async def test_a_private_part_that_has_changed_is_found(
    owner: Any, name: str, changed: Callable[..., object] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, changed)
        found = aiohttp_check.mismatch()
    assert found != ""
    assert aiohttp_check.notice() == (
        f"this version of promptjobs supports aiohttp {aiohttp.__version__} only partly: "
        "requests use its public interface, which is slower"
    )
    assert await opened() is PublicConnections
    async with FaultServer(GOOD) as server:
        assert text_of(await ask(server.url)) == "Hello"


async def test_a_run_says_once_that_it_is_slower_and_completes(promptjobs: Command) -> None:
    async with FaultServer(GOOD) as server:
        job = {
            "provider": "openai",
            "models": ["m", "n"],
            "prompt": "?",
            "base_url": f"{server.url}/v1",
        }
        (promptjobs.folder / "job.yaml").write_text(json.dumps(job))
        ended = await promptjobs("run", "job.yaml", env=hidden(promptjobs.environment))
    assert ended.code == 0, ended.stderr
    assert ended.stderr.count("requests use its public interface, which is slower") == 1


async def test_a_timeout_that_expires_as_a_read_ends_fails_the_next_read() -> None:
    """The cancellation arrives too late for this read, and there is no second one."""
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(Timeouts(), loop.time())
    alarm = Alarm(Watch(loop), deadlines)
    post = PublicPost(PublicConnections(), PublicRoute(URL("http://localhost"), {}), alarm)
    alarm.set(post.hang_up)

    async def read() -> bytes:
        alarm.ring()
        return b"ping"

    try:
        assert await post.bounded(read) == b"ping"
        with anyio.fail_after(5), pytest.raises(TimeoutError):
            await post.bounded(anyio.sleep_forever)
        assert alarm.has_rung
    finally:
        await post._connections.close()
