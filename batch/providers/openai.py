"""Any OpenAI-compatible server, as an endpoint of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yarl import URL

from batch import __version__
from batch.providers.secrets import redacted
from batch.records import Failure
from batch.wire import openai

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch.providers.http import HttpClient
    from batch.records import Outcome, Request

USER_AGENT = f"promptjobs/{__version__}"


class OpenAIEndpoint:
    """One base URL that speaks chat completions, as a ``ports.Provider``."""

    def __init__(
        self,
        client: HttpClient,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        api_key: str | None = None,
        secrets: Sequence[str] = (),
    ) -> None:
        self._client = client
        self._url = URL(openai.url(base_url))
        self._headers = openai.headers(USER_AGENT)
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}"
        self._headers.update({name.lower(): value for name, value in (headers or {}).items()})
        self._secrets = (*secrets, api_key)
        self._ask_usage = True

    async def complete(self, request: Request) -> Outcome:
        """Make one attempt; where the server refuses ``stream_options``, go on without them."""
        asked = self._ask_usage
        outcome = await self._attempt(request, ask_usage=asked)
        if isinstance(outcome, Failure) and asked and openai.refuses_usage(outcome):
            self._ask_usage = False
            outcome = await self._attempt(request, ask_usage=False)
        return redacted(outcome, self._secrets)

    async def _attempt(self, request: Request, *, ask_usage: bool) -> Outcome:
        body = openai.encode(request.model, request.messages, request.params, ask_usage=ask_usage)
        return await self._client.complete(self._url, self._headers, body)
