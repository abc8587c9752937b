"""The generator interface of a chat provider: class attributes, and a generator of deltas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from batch.wire.dialects.model_names import canonical_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from batch.records import JSONObject


@dataclass(frozen=True, slots=True)
class FinishReason:
    """The last item of a generator: why the model stopped, ``None`` if the server did not report it."""

    reason: str | None


Delta: TypeAlias = str | FinishReason


class AsyncGeneratorProvider:
    """A provider that answers as an async generator."""

    url: ClassVar[str]
    working: ClassVar[bool] = False
    supports_stream: ClassVar[bool] = False
    supports_system_message: ClassVar[bool] = False
    supports_message_history: ClassVar[bool] = False

    @classmethod
    def create_async_generator(
        cls,
        model: str,
        messages: Sequence[JSONObject],
        proxy: str | None = None,
        stream: bool = False,
        **kwargs: Any,
    ) -> AsyncGenerator[Delta, None]:
        """Yield the answer's text as it arrives, and last a ``FinishReason``."""
        raise NotImplementedError


class ProviderModelMixin:
    """A provider with named models and aliases."""

    default_model: ClassVar[str] = ""
    models: ClassVar[list[str]] = []
    model_aliases: ClassVar[dict[str, str]] = {}

    @classmethod
    def get_model(cls, model: str) -> str:
        """Return the canonical name: the default for the empty string, an alias's target, or the name itself.

        Raises ``ModelNotFoundError``, which lists the models.
        """
        return canonical_name(model, cls.models, cls.model_aliases, cls.default_model, cls.__name__)
