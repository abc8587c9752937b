"""Which providers know their models by several names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.wire.dialects import autonomous

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CANONICAL: Mapping[str, Callable[[str], str]] = {"autonomous": autonomous.canonical}
"""For a provider, what gives a model name's canonical form, or raises ``ModelNotFoundError``.

The others take any name as it stands.
"""
