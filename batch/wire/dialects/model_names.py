"""Model names of a provider: canonical names, aliases, and the default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.errors import ModelNotFoundError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def canonical_name(
    name: str, models: Collection[str], aliases: Mapping[str, str], default: str, provider: str
) -> str:
    """Return the target of an alias, or the name itself; the default for the empty string.

    Raises ``ModelNotFoundError``, which lists the models of the provider.
    """
    model = aliases.get(name, name) or default
    if model not in models:
        known = [*models, *aliases]
        raise ModelNotFoundError(f"{provider} has no model {name!r}", known)
    return model
