"""Queries on sampling parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def max_tokens(params: Mapping[str, Any]) -> int | None:
    """Return the maximum number of tokens of an answer; ``None`` if the parameters set none."""
    extra = params.get("extra_body")
    sent = {**params, **extra} if isinstance(extra, dict) else params
    written = (sent.get("max_tokens"), sent.get("max_completion_tokens"))
    return max((limit for limit in written if type(limit) is int and limit > 0), default=None)
