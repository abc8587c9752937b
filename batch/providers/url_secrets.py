"""The secrets in a URL: its password, and the values of query parameters that hold secrets."""

from __future__ import annotations

from yarl import URL

from batch.jobfile.endpoint_checks import is_secret_parameter


def secrets_in_url(url: str) -> list[str]:
    """Return the secrets in a URL, decoded."""
    parsed = URL(url)
    in_query = [value for name, value in parsed.query.items() if is_secret_parameter(name)]
    return [secret for secret in (parsed.password, *in_query) if secret]
