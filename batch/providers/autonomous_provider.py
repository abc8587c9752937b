"""The AutonomousAI provider, as a generator of deltas."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import replace
from yarl import URL

from batch.errors import AttemptError
from batch.providers.client import HttpClient
from batch.providers.credentials import USER_AGENT, Credentials
from batch.providers.failure_messages import SentRequest, message_with_request, url_for_display
from batch.providers.generator_api import AsyncGeneratorProvider, Delta, ProviderModelMixin
from batch.providers.timeouts import Timeouts
from batch.wire.dialects import autonomous

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from batch.records import JSONObject


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
    async def create_async_generator(  # noqa: PLR0913 - the known interface of callers
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
        """Send one request, yield the answer's text as it arrives, and last a ``FinishReason``.

        ``model`` is a name, an alias, or empty for the default. ``proxy`` is the URL of an HTTP or HTTPS
        proxy. ``thread_id`` continues a conversation on the server; without it each call has one of its own.
        Other keywords are sampling parameters and go into the body. Raises ``ModelNotFoundError``, and
        ``AttemptError`` if the answer is incomplete.
        """
        name = cls.get_model(model)
        body = autonomous.encode(name, messages, params, thread_id=thread_id or token_hex(16), stream=stream)
        async with HttpClient(timeouts or Timeouts(), proxy=proxy) as client:
            credentials = Credentials(api_key, headers or {})
            key = autonomous.key_headers(api_key) if api_key else {}
            sent = credentials.on(autonomous.headers(USER_AGENT), key)
            route = client.route(URL(autonomous.url(base_url, name)), sent)
            pieces = client.stream(route, body)
            try:
                async for piece in pieces:
                    yield piece
            except AttemptError as error:
                known = credentials.knowing(route.secrets)
                asked = SentRequest(
                    url_for_display(autonomous.url(base_url, name)), name, is_proxied=route.is_proxied
                )
                failure = known.redacted(error.failure)
                message = message_with_request(failure, asked, known.clean)
                raise AttemptError(replace(failure, message=message)) from None
            finally:
                await pieces.aclose()
