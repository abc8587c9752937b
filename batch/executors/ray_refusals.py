"""Why there is no connection to a Ray cluster, in one sentence."""

from __future__ import annotations

import re

from batch.errors import one_line

OWN = "local"
"""The address with which Ray starts a cluster of our own."""

AUTO = "auto"
"""The address of the cluster that runs on this machine."""

_PLACES = {OWN: "Ray on this machine", AUTO: "the Ray cluster on this machine"}

_VERSIONS = re.compile(r"Ray: (\S+)\s+Python: (\S+)")
"""Versions in an error of Ray: first those of the cluster, then those of this process."""

_REFUSED = re.compile(r"(?:InvalidAuthToken|AuthenticationError): (.+?)(?:\. |$)", re.DOTALL)
"""What Ray says of a token. The last match is the cause; advice follows it."""


def refusal(error: Exception, address: str) -> str:
    """Return why there is no connection, from the error of ``ray.init``."""
    where = _PLACES.get(address, f"the Ray cluster at {address}")
    text = " ".join(f"{type(error).__name__}: {error}\n{error.__cause__ or ''}".split())
    versions = _VERSIONS.findall(text)
    if "Version mismatch" in text and len(versions) > 1:
        theirs, ours = (f"Ray {ray} and Python {python}" for ray, python in versions[:2])
        return f"{where} has {theirs}, and this machine has {ours}; install the same versions"
    if refused := _REFUSED.findall(text):
        reason = refused[-1].rpartition("InvalidAuthToken: ")[2]
        return f"{where} refuses the token of this user: {reason}; see RAY_AUTH_MODE and RAY_AUTH_TOKEN_PATH"
    if address == OWN:
        return f"{where} does not start: {one_line(error)}"
    hint = "" if address == AUTO else "; is RAY_USE_TLS the same there?"
    return f"{where} is not reached: {one_line(error)}{hint}"
