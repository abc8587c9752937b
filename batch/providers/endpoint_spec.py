"""Endpoints as values: all that is needed to open one, in this process or in another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from batch.finish_reasons import NO_WORDS, FinishReasons
from batch.providers.credentials import Credentials
from batch.providers.dialect_endpoint import DialectEndpoint
from batch.providers.timeouts import Timeouts  # noqa: TC001 - msgspec reads it
from batch.wire.dialects.registry import dialect_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AsyncExitStack

    from batch.providers.client import HttpClient


class ClientSpec(Struct, frozen=True):
    """An HTTP client. Endpoints with equal clients share the connections."""

    timeouts: Timeouts
    proxy: str | None = None
    keep_alive: bool = True
    finish_reasons: FinishReasons = NO_WORDS

    def __repr__(self) -> str:
        return "ClientSpec(…)"  # the proxy's URL may hold a password


class EndpointSpec(Struct, frozen=True):
    """One base URL with its dialect (the name), as ``DialectEndpoint`` takes them.

    ``is_per_worker``: each worker on Ray reaches a server of its own there.
    """

    dialect: str
    base_url: str
    client: ClientSpec
    api_key: str | None = None
    headers: dict[str, str] = {}
    secrets: tuple[str, ...] = ()
    stream: bool = True
    models: tuple[str, ...] = ()
    shown_url: str | None = None
    is_per_worker: bool = False

    def __repr__(self) -> str:
        return f"EndpointSpec({self.dialect!r}, …)"


async def open_endpoints(specs: Iterable[EndpointSpec], stack: AsyncExitStack) -> list[DialectEndpoint]:
    """Open endpoints and their clients on an exit stack that closes them again.

    Raises ``ValueError`` if a header contains a line end.
    """
    opener = _Opener(stack)
    return [await opener.open(spec) for spec in specs]


class _Opener:
    """Opens endpoints. Those with equal clients share one."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._clients: dict[ClientSpec, HttpClient] = {}

    async def open(self, spec: EndpointSpec) -> DialectEndpoint:
        return DialectEndpoint(
            dialect_of(spec.dialect),
            await self._client(spec.client),
            spec.base_url,
            Credentials(spec.api_key, spec.headers, spec.secrets),
            stream=spec.stream,
            models=spec.models,
            shown_url=spec.shown_url,
        )

    async def _client(self, spec: ClientSpec) -> HttpClient:
        from batch.providers.client import HttpClient  # noqa: PLC0415 - aiohttp is slow to load

        if spec not in self._clients:
            client = HttpClient(
                spec.timeouts,
                proxy=spec.proxy,
                keep_alive=spec.keep_alive,
                finish_reasons=spec.finish_reasons,
            )
            self._clients[spec] = await self._stack.enter_async_context(client)
        return self._clients[spec]
