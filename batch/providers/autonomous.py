"""AutonomousAI: usable alone as a generator of deltas, and in a batch as an endpoint."""

from __future__ import annotations

from itertools import count
from secrets import token_hex
from typing import TYPE_CHECKING, Any, ClassVar

from yarl import URL

from batch.errors import AttemptError
from batch.providers.client import HttpClient
from batch.providers.credentials import USER_AGENT, Credentials
from batch.providers.generator_api import AsyncGeneratorProvider, Delta, ProviderModelMixin
from batch.providers.timeouts import Timeouts
from batch.scheduling.internal_errors import internal_error
from batch.wire.dialects import autonomous

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence

    from batch.records import JSONObject, Outcome, Request


class AutonomousAI(AsyncGeneratorProvider, ProviderModelMixin):
    """The AutonomousAI chat protocol.

    ::

        async for chunk in AutonomousAI.create_async_generator(model="llama", messages=messages, stream=True):
            ...
    """

    url = autonomous.HOME_PAGE
    api_endpoints: ClassVar[dict[str, str]] = {
        model: autonomous.url(autonomous.ORIGIN, model) for model in autonomous.MODELS
    }
    working = True
    supports_stream = True
    supports_system_message = True
    supports_message_history = True
    default_model = autonomous.DEFAULT_MODEL
    models: ClassVar[list[str]] = list(autonomous.MODELS)
    model_aliases: ClassVar[dict[str, str]] = dict(autonomous.ALIASES)

    @classmethod
    async def create_async_generator(  # noqa: PLR0913 - the shape that callers know
        cls,
        model: str,
        messages: Sequence[JSONObject],
        proxy: str | None = None,
        stream: bool = False,
        *,
        base_url: str = autonomous.ORIGIN,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        thread_id: str | None = None,
        timeouts: Timeouts | None = None,
        **params: Any,
    ) -> AsyncGenerator[Delta, None]:
        """Ask once, and yield the answer's text as it comes, and last a ``FinishReason``.

        ``model`` is a name, an alias, or empty for the default. ``proxy`` is an HTTP or HTTPS proxy's URL.
        ``thread_id`` continues a conversation on the server; without it each call has one of its own.
        Other keywords are sampling parameters and go into the body. Raises ``ModelNotFoundError``, and
        ``AttemptError`` where the answer does not become whole.
        """
        name = cls.get_model(model)
        body = autonomous.encode(name, messages, params, thread_id=thread_id or token_hex(16), stream=stream)
        async with HttpClient(timeouts or Timeouts(), proxy=proxy) as client:
            credentials = Credentials(api_key, headers or {})
            sent = credentials.on(autonomous.headers(USER_AGENT))
            route = client.route(URL(autonomous.url(base_url, name)), sent)
            pieces = client.stream(route, body)
            try:
                async for piece in pieces:
                    yield piece
            except AttemptError as error:
                known = credentials.knowing(route.secrets)
                raise AttemptError(known.redacted(error.failure)) from None
            finally:
                await pieces.aclose()


class AutonomousEndpoint:
    """One host of the AutonomousAI protocol, as a ``protocols.Provider``."""

    def __init__(
        self, client: HttpClient, base_url: str, credentials: Credentials, *, stream: bool = True
    ) -> None:
        headers = credentials.on(autonomous.headers(USER_AGENT, stream=stream))
        self._client = client
        self._stream = stream
        self._routes = {
            model: client.route(URL(autonomous.url(base_url, model)), headers) for model in autonomous.MODELS
        }
        self._credentials = credentials.knowing(
            {secret for route in self._routes.values() for secret in route.secrets}
        )
        self._threads = _threads()

    async def complete(self, request: Request) -> Outcome:
        """Make one attempt, in a conversation of its own."""
        try:
            body = autonomous.encode(
                request.model,
                request.messages,
                request.params,
                thread_id=next(self._threads),
                stream=self._stream,
            )
            outcome: Outcome = await self._client.complete(self._routes[request.model], body)
        except Exception as error:  # noqa: BLE001 - its text may hold what was sent: it is redacted here
            outcome = internal_error(error)
        return self._credentials.redacted(outcome)


def _threads() -> Iterator[str]:
    """Names for conversations, none of which anybody has had before."""
    ours = token_hex(10)
    return (f"{ours}{number:012x}" for number in count())
