"""The protocol of dialects: names, URLs, headers and bodies of the requests to one kind of endpoint.

A dialect is a module with the members of ``Dialect``, and one line in ``registry``. It does no I/O.

Replies are not part of it yet. ``wire.reply_decoder`` decodes the replies of every dialect, streamed or
whole, reads their usage (``wire.usage``) and classifies their errors (``wire.error_classification``). It
understands chat completions, the shape of the replies of all dialects today. A dialect with replies of
another shape needs a decoder of its own, which ``providers.client.HttpClient`` has to use in place of
``ReplyDecoder``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from batch.records import Failure, JSONObject


class Dialect(Protocol):
    """The members that the module of a dialect must have."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a constant of the module, as are the next ones
        """The name of the dialect, under ``provider`` in job files and in the registry."""

    @property
    def MODELS(self) -> Collection[str] | None:  # noqa: N802
        """The canonical names of the models; ``None`` if any name may be a model's."""

    @property
    def ALIASES(self) -> Mapping[str, str]:  # noqa: N802
        """Other names of the models: alias → canonical name."""

    @property
    def DEFAULT_URL(self) -> str | None:  # noqa: N802
        """The base URL for a job without one; ``None`` if a job must have one."""

    @property
    def URL_HINT(self) -> str:  # noqa: N802
        """A hint for a job that must have a base URL and does not. It may be empty."""

    @property
    def EMBEDDED_PATH(self) -> str | None:  # noqa: N802
        """The path after the embedded endpoint's origin in a base URL; ``None`` if it lacks the dialect."""

    @property
    def MODELS_PATH(self) -> str | None:  # noqa: N802
        """The path after a base URL under which a server lists its models; ``None`` if there is none."""

    @property
    def HAS_LISTED_PRICES(self) -> bool:  # noqa: N802
        """Whether the ``prices`` extra may list the prices of its models, by base URL and name."""

    def canonical(self, name: str) -> str:
        """Return the canonical name of a model or alias. Raises ``ModelNotFoundError``."""

    def url(self, base_url: str, model: str) -> str:
        """Return the URL for requests to a canonical model. The query of the base URL stays at the end."""

    def headers(self, user_agent: str, *, stream: bool) -> Mapping[str, str]:
        """Return the headers of every request except the key, with names in lower case.

        They request no compression. The headers of the key and of the job file replace them.
        """

    def key_headers(self, api_key: str) -> Mapping[str, str]:
        """Return the headers with the API key, with names in lower case; empty if no key is needed."""

    def encode(
        self,
        model: str,
        messages: Sequence[JSONObject],
        params: Mapping[str, object],
        *,
        thread_id: str,
        stream: bool,
        with_optional: bool,
    ) -> bytes:
        """Return the body of one request to a canonical model.

        ``params`` are included unchanged, but replace no field of the dialect. ``thread_id`` is unique to the
        request, for a server that keeps conversations. Without ``with_optional``, the body lacks the fields
        that some servers reject.
        """

    def refuses_optional(self, failure: Failure, *, stream: bool) -> bool:
        """Whether the server rejected a field that ``with_optional`` adds to such a request."""
