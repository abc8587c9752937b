"""Any OpenAI-compatible server, as an endpoint of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from yarl import URL

from batch.providers.credentials import USER_AGENT, Credentials
from batch.records import Failure, Reply
from batch.scheduling.internal_errors import internal_error
from batch.wire.dialects import openai

if TYPE_CHECKING:
    from batch.providers.client import HttpClient
    from batch.records import Outcome, Request


class OpenAIEndpoint:
    """One base URL that speaks chat completions, as a ``protocols.Provider``."""

    def __init__(
        self, client: HttpClient, base_url: str, credentials: Credentials, *, stream: bool = True
    ) -> None:
        headers = credentials.on(openai.headers(USER_AGENT, stream=stream))
        self._client = client
        self._route = client.route(URL(openai.url(base_url)), headers)
        self._credentials = credentials.knowing(self._route.secrets)
        self._stream = stream
        self._ask_usage = stream

    async def complete(self, request: Request) -> Outcome:
        """Make one attempt; where the server refuses ``stream_options``, ask without them.

        They are given up for all requests only where that helps: a request may be refused for another reason,
        in words that name them.
        """
        asked = self._ask_usage
        try:
            outcome = await self._attempt(request, ask_usage=asked)
            if isinstance(outcome, Failure) and asked and openai.refuses_usage(outcome):
                lost = outcome.lost
                outcome = await self._attempt(request, ask_usage=False)
                outcome = replace(outcome, lost=outcome.lost + lost)
                if isinstance(outcome, Reply):
                    self._ask_usage = False
        except Exception as error:  # noqa: BLE001 - its text may hold what was sent: it is redacted here
            outcome = internal_error(error)
        return self._credentials.redacted(outcome)

    async def _attempt(self, request: Request, *, ask_usage: bool) -> Outcome:
        body = openai.encode(
            request.model, request.messages, request.params, stream=self._stream, ask_usage=ask_usage
        )
        return await self._client.complete(self._route, body)
