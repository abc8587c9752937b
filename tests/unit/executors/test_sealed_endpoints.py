"""Endpoints that travel without the values of variables and key files."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from batch.executors.protocol import Leases
from batch.executors.sealed_endpoints import sealed, unsealed
from batch.executors.worker_setup import Setup, encode_setup
from batch.providers.endpoint_spec import ClientSpec, EndpointSpec
from batch.providers.timeouts import Timeouts

KEY = "sk-a-very-secret-key"
PLAIN = EndpointSpec("openai", "https://api.example.com/v1", ClientSpec(Timeouts()), models=("m",))

ENDPOINTS: dict[str, tuple[EndpointSpec, dict[str, str]]] = {
    "a key": (replace(PLAIN, api_key=KEY, secrets=(KEY,)), {"KEY": KEY}),
    "a key file": (replace(PLAIN, api_key=KEY), {"/run/keys/openai": KEY}),
    "a header": (replace(PLAIN, headers={"X-Auth": f"Bearer {KEY}"}, secrets=(KEY,)), {"KEY": KEY}),
    "a part of the address": (replace(PLAIN, base_url=f"https://api.example.com/{KEY}/v1"), {"KEY": KEY}),
    "a key that contains another": (
        replace(PLAIN, api_key=f"{KEY}-2", headers={"X-Auth": KEY}),
        {"KEY": KEY, "KEY_2": f"{KEY}-2"},
    ),
    "two names for one value": (replace(PLAIN, api_key=KEY), {"KEY": KEY, "SAME": KEY}),
    "a short value": (replace(PLAIN, headers={"X-Team": "a"}), {"TEAM": "a"}),
    "a proxy's password, encoded": (
        replace(
            PLAIN,
            client=ClientSpec(Timeouts(), proxy="http://user:p%40ss-word@proxy.example.com:3128"),
            secrets=("p@ss-word",),
        ),
        {"HTTPS_PROXY": "http://user:p%40ss-word@proxy.example.com:3128"},
    ),
    "no source": (PLAIN, {}),
}


@pytest.mark.parametrize("name", ENDPOINTS)
def test_an_endpoint_travels_without_values_and_is_the_same_again(name: str) -> None:
    endpoint, sources = ENDPOINTS[name]
    closed = sealed([endpoint], sources)
    sent = encode_setup(Setup(1, closed, Leases()))
    values = [value for value in (*sources.values(), *endpoint.secrets) if len(value) > 1]
    assert [value for value in values if value.encode() in sent] == []
    assert unsealed(closed, sources) == [endpoint]


def test_an_endpoint_whose_key_is_sent_is_the_same_again() -> None:
    endpoint, _ = ENDPOINTS["a proxy's password, encoded"]
    assert unsealed(sealed([endpoint], {}), {}) == [endpoint]
