"""What a dialect is: the names, addresses, headers and bodies of the requests to one kind of endpoint.

A dialect is a module that has the members of ``Dialect``, and one line in ``registry``. It does no I/O.

Replies are no part of it yet. ``wire.reply_decoder`` decodes those of every dialect, streamed or whole, reads
their usage (``wire.usage``) and classifies their errors (``wire.error_classification``): it understands chat
completions, the shape in which all dialects are answered today. A dialect with replies of another shape
needs a decoder of its own, which ``providers.client.HttpClient`` has to make in place of ``ReplyDecoder``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from batch.records import Failure, JSONObject


class Dialect(Protocol):
    """The members that a dialect's module must have."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a constant of the module, as are the next ones
        """The name that job files have under ``provider``, and that the registry has."""

    @property
    def MODELS(self) -> Collection[str] | None:  # noqa: N802
        """The canonical names of the models; ``None`` where any name may be a model's."""

    @property
    def ALIASES(self) -> Mapping[str, str]:  # noqa: N802
        """Other names of the models: alias → canonical name."""

    @property
    def DEFAULT_URL(self) -> str | None:  # noqa: N802
        """The base URL of a job that names none; ``None`` where a job must name one."""

    @property
    def URL_HINT(self) -> str:  # noqa: N802
        """What to write where a job must name a base URL and does not. It may be empty."""

    @property
    def EMBEDDED_PATH(self) -> str | None:  # noqa: N802
        """What follows the embedded endpoint's origin in a base URL; ``None`` if it lacks the dialect."""

    @property
    def HAS_LISTED_PRICES(self) -> bool:  # noqa: N802
        """Whether the ``prices`` extra may list what its models cost, by base URL and name."""

    def canonical(self, name: str) -> str:
        """The canonical name of a model or alias. Raises ``ModelNotFoundError``, listing what there is."""

    def url(self, base_url: str, model: str) -> str:
        """Where requests for a canonical model go. The query of the base URL stays at the end."""

    def headers(self, user_agent: str, *, stream: bool) -> Mapping[str, str]:
        """The headers of every request except the key, with names in lower case.

        They ask for no compression. Those of the key and of the job file replace them.
        """

    def key_headers(self, api_key: str) -> Mapping[str, str]:
        """The headers that carry the API key, with names in lower case; empty if the dialect takes no key."""

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
        """The body of one request to a canonical model.

        ``params`` go along unchanged, but replace no field of the dialect's own. ``thread_id`` is unique to
        the request, for a server that keeps conversations. Without ``with_optional`` the body lacks the
        fields that some servers refuse.
        """

    def refuses_optional(self, failure: Failure, *, stream: bool) -> bool:
        """Whether the failure says that a field is refused which ``with_optional`` adds to such a request."""
