"""Endpoints as values."""

from __future__ import annotations

import msgspec

from batch.executors.protocol import Leases
from batch.executors.worker_setup import Setup, decode_setup, encode_setup
from batch.finish_reasons import FinishReasons
from batch.providers.endpoint_spec import ClientSpec, EndpointSpec
from batch.providers.timeouts import Timeouts

SPEC = EndpointSpec(
    "openai",
    "https://example.org/v1",
    ClientSpec(
        Timeouts(1.0, None, 3.0, 4.0),
        "http://user:hunter22@proxy.example.org",
        keep_alive=False,
        finish_reasons=FinishReasons(frozenset({"done"}), frozenset({"cut"})),
    ),
    "sk-secret-key",
    {"x-api-key": "another-secret"},
    ("another-secret", "hunter22"),
    stream=False,
    models=("m",),
    shown_url="https://example.org/…",
)


def test_a_worker_gets_all_of_an_endpoint() -> None:
    setup = Setup(3, [SPEC, msgspec.structs.replace(SPEC, stream=True)], Leases(beat=2.0))
    assert decode_setup(encode_setup(setup)) == setup


def test_no_secret_is_in_a_repr() -> None:
    shown = repr(Setup(1, [SPEC], Leases())) + repr(SPEC.client)
    assert "secret" not in shown
    assert "hunter22" not in shown
