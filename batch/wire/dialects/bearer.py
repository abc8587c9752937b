"""Authentication with a bearer token."""

from __future__ import annotations


def bearer_headers(api_key: str) -> dict[str, str]:
    """Return the header of a bearer token."""
    return {"authorization": f"Bearer {api_key}"}
