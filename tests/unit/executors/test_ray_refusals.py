"""Why there is no connection to a Ray cluster, from what Ray 2.60 raises."""

from __future__ import annotations

import pytest

from batch.executors.ray_refusals import refusal

ADVICE = (
    ". Ensure that the token for the cluster is available in a local file (e.g., ~/.ray/auth_token or via "
    "RAY_AUTH_TOKEN_PATH) or as the `RAY_AUTH_TOKEN` environment variable."
)
MISMATCH = """Version mismatch: The cluster was started with:
    Ray: 2.60.0
    Python: 3.11.7
This process on node 192.0.2.2 was started with:
    Ray: 2.55.0
    Python: 3.12.1
"""
HEAD = "head:6379"
WITHOUT_ANSWER = "Failed to connect to Ray cluster at 192.0.2.2:6379"


class AuthenticationError(Exception):
    """Named as that of Ray."""


def caused_by(cause: str) -> ConnectionError:
    """The error of an address where connecting has failed several times."""
    error = ConnectionError(WITHOUT_ANSWER)
    error.__cause__ = RuntimeError(
        f'Failed to connect to GCS. Last connection error:\n  File "node.py"\nray.exceptions.{cause}'
    )
    return error


REFUSALS: dict[str, tuple[Exception, str, str]] = {
    "another version": (
        RuntimeError(MISMATCH),
        HEAD,
        (
            "the Ray cluster at head:6379 has Ray 2.60.0 and Python 3.11.7, "
            "and this machine has Ray 2.55.0 and Python 3.12.1; install the same versions"
        ),
    ),
    "another token": (
        caused_by(f"AuthenticationError: RPC error: InvalidAuthToken: The token is incorrect{ADVICE}"),
        HEAD,
        (
            "the Ray cluster at head:6379 refuses the token of this user: The token is incorrect; "
            "see RAY_AUTH_MODE and RAY_AUTH_TOKEN_PATH"
        ),
    ),
    "no token": (
        AuthenticationError(f"RAY_AUTH_TOKEN_PATH is set but file cannot be opened: /run/token{ADVICE}"),
        "auto",
        (
            "the Ray cluster on this machine refuses the token of this user: RAY_AUTH_TOKEN_PATH is set "
            "but file cannot be opened: /run/token; see RAY_AUTH_MODE and RAY_AUTH_TOKEN_PATH"
        ),
    ),
    "another server, or one with TLS": (
        caused_by("RpcError: Timed out while waiting for GCS to become available."),
        HEAD,
        (
            "the Ray cluster at head:6379 is not reached: ConnectionError: "
            "Failed to connect to Ray cluster at 192.0.2.2:6379; is RAY_USE_TLS the same there?"
        ),
    ),
    "no cluster here": (
        ConnectionError("Could not find any running Ray instance."),
        "auto",
        (
            "the Ray cluster on this machine is not reached: ConnectionError: "
            "Could not find any running Ray instance."
        ),
    ),
    "a cluster of our own does not start": (
        OSError("AF_UNIX path length cannot exceed 107 bytes"),
        "local",
        "Ray on this machine does not start: OSError: AF_UNIX path length cannot exceed 107 bytes",
    ),
}


@pytest.mark.parametrize(("error", "address", "sentence"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_one_sentence(error: Exception, address: str, sentence: str) -> None:
    assert refusal(error, address) == sentence
