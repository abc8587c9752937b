"""The usual way to send an API key."""

from __future__ import annotations


def bearer_headers(api_key: str) -> dict[str, str]:
    """The header of a bearer token."""
    return {"authorization": f"Bearer {api_key}"}
