"""The proxy that the environment names for an address: ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``.

The names are those of curl and most other programs, in lower or upper case; lower case takes precedence. A
program that runs for a web server must not read ``HTTP_PROXY`` in upper case, which a client of that server
can set (httpoxy, CVE-2016-5385).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from yarl import URL

from batch.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class EnvironmentProxy:
    """A proxy's URL, which may contain a password, and the variable that names it."""

    url: str = field(repr=False)
    variable: str


def proxy_for(base_url: str, variables: Mapping[str, str]) -> EnvironmentProxy | None:
    """Return the proxy for requests to an address; ``None``: they go there directly.

    Requests to this machine itself never use a proxy.
    """
    target = URL(base_url)
    host = target.host or ""
    if is_loopback(host):
        return None
    found = _first(variables, f"{target.scheme}_proxy")
    if found is None or _is_exempt(host, target.port, _no_proxy(variables)):
        return None
    variable, url = found
    return EnvironmentProxy(url if "://" in url else f"http://{url}", variable)


def _first(variables: Mapping[str, str], name: str) -> tuple[str, str] | None:
    for spelling in (name, name.upper()):
        if spelling == "HTTP_PROXY" and "REQUEST_METHOD" in variables:
            continue
        if spelling in variables:
            value = variables[spelling].strip()
            return (spelling, value) if value else None
    return None


def _no_proxy(variables: Mapping[str, str]) -> list[str]:
    found = _first(variables, "no_proxy")
    return [] if found is None else found[1].replace(",", " ").split()


def _is_exempt(host: str, port: int | None, entries: list[str]) -> bool:
    return any(_matches(host.lower().rstrip("."), port, entry.lower()) for entry in entries)


def _matches(host: str, port: int | None, entry: str) -> bool:
    """Return whether an entry matches the host: ``*``, a domain, an address, or a network."""
    if entry == "*":
        return True
    try:
        return ip_address(host) in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdecimal():
        if int(wanted) != port:
            return False
        entry = name.strip("[]")
    domain = entry.removeprefix("*").lstrip(".").rstrip(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))
