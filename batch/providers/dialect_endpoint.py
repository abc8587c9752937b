"""An endpoint of a batch: one base URL with its dialect."""

from __future__ import annotations

from itertools import count
from secrets import token_hex
from typing import TYPE_CHECKING

from msgspec.structs import replace
from yarl import URL

from batch.providers.credentials import USER_AGENT, Credentials
from batch.providers.failure_messages import SentRequest, lacks_version, message_with_request, url_for_display
from batch.records import Failure, Reply
from batch.scheduling.internal_errors import internal_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batch.providers.client import HttpClient
    from batch.providers.http1 import Route
    from batch.records import Outcome, Request
    from batch.wire.dialects.protocol import Dialect


class DialectEndpoint:
    """One base URL with its dialect, as a ``protocols.Provider``.

    ``models`` are the canonical models that are known in advance: their routes are created at once.
    ``shown_url`` is the base URL as messages may show it, if that differs. Raises ``ValueError`` if a header
    contains a line end.
    """

    def __init__(
        self,
        dialect: Dialect,
        client: HttpClient,
        base_url: str,
        credentials: Credentials,
        *,
        stream: bool = True,
        models: Iterable[str] = (),
        shown_url: str | None = None,
    ) -> None:
        api_key = credentials.api_key
        key = dialect.key_headers(api_key) if api_key else {}
        self._headers = credentials.on(dialect.headers(USER_AGENT, stream=stream), key)
        self._credentials = credentials.knowing(
            value.rpartition(" ")[2] for value in key.values() if api_key and api_key not in value
        )
        self._dialect = dialect
        self._encode = dialect.encode
        self._client = client
        self._base_url = base_url
        self._shown_url = base_url if shown_url is None else shown_url
        self._stream = stream
        self._with_optional = True
        self._threads = _threads()
        self._answered: set[str] = set()
        self._by_url: dict[str, Route] = {}
        self._routes: dict[str, Route] = {}
        for model in models:
            self._add_route(model)

    async def complete(self, request: Request) -> Outcome:
        """Make one attempt; if the server rejects the dialect's optional fields, send again without them."""
        model, with_optional = request.model, self._with_optional
        try:
            if model not in self._routes:
                self._add_route(model)
            route = self._routes[model]
            outcome = await self._client.complete(route, self._body(request, with_optional=with_optional))
            if isinstance(outcome, Failure) and with_optional and self._refuses(outcome):
                again = await self._client.complete(route, self._body(request, with_optional=False))
                outcome = self._after(outcome, again)
        except Exception as error:  # noqa: BLE001 - its text may contain what was sent: it is redacted here
            outcome = internal_error(error)
        outcome = self._credentials.redacted(outcome)
        if isinstance(outcome, Failure):
            return self._named(outcome, model)
        self._answered.add(model)
        return outcome

    def _body(self, request: Request, *, with_optional: bool) -> bytes:
        return self._encode(
            request.model,
            request.messages,
            request.params,
            thread_id=next(self._threads),
            stream=self._stream,
            with_optional=with_optional,
        )

    def _named(self, failure: Failure, model: str) -> Failure:
        """Return the failure with the request and a hint in its message."""
        route, credentials = self._routes.get(model), self._credentials
        if route is None:  # the route could not be created, so nothing was sent
            return failure
        sent = SentRequest(
            url_for_display(self._dialect.url(self._shown_url, model)),
            model,
            lacks_version=lacks_version(self._base_url, self._dialect.EMBEDDED_PATH),
            has_key=bool(credentials.api_key or credentials.headers or credentials.secrets),
            is_proxied=route.is_proxied,
            has_worked=model in self._answered,
        )
        return replace(failure, message=message_with_request(failure, sent, credentials.clean))

    def _refuses(self, failure: Failure) -> bool:
        return self._dialect.refuses_optional(failure, stream=self._stream)

    def _after(self, refused: Failure, outcome: Outcome) -> Outcome:
        """Return the outcome of the second try, including what the first one has lost.

        The optional fields are omitted from all requests only if that helps: a server may reject a request
        for another reason, with a message that names them.
        """
        if isinstance(outcome, Reply):
            self._with_optional = False
        return replace(outcome, lost=outcome.lost + refused.lost)

    def _add_route(self, model: str) -> None:
        """Create the route of a model. Models with the same URL share it."""
        url = self._dialect.url(self._base_url, model)
        route = self._by_url.get(url)
        if route is None:
            route = self._by_url[url] = self._client.route(URL(url), self._headers)
            self._credentials = self._credentials.knowing(route.secrets)
        self._routes[model] = route


def _threads() -> Iterator[str]:
    """Yield unique names for conversations."""
    return map((token_hex(10) + "{:012x}").format, count())
