"""What the driver asks a worker of another process or machine before it sends anything, and the answer.

Both are JSON, which other versions can read. Keys are compared without being sent: the worker reads its own,
and returns a keyed hash (HMAC) of each with a random ``nonce`` as the key.
"""

from __future__ import annotations

import hmac
import os
import platform
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from batch import key_sources
from batch._version import __version__
from batch.errors import UsageError
from batch.executors.frames import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping


class Hello(Struct, frozen=True):
    """The question: which of these variables and key files (absolute paths) does the worker have?"""

    nonce: bytes
    sources: tuple[str, ...]


class Report(Struct, frozen=True):
    """The answer.

    ``network`` identifies the loopback network that the worker sees. ``proofs`` has the hash of each source
    that the worker has; ``problems`` says why it has not the others.
    """

    version: str
    frames: int
    python: str
    host: str
    network: str
    proofs: dict[str, bytes]
    problems: dict[str, str]


def is_hello(message: bytes) -> bool:
    """Return whether a message is a ``Hello``; no other message begins so."""
    return message[:1] == b"{"


def read_sources(names: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the values of variables and key files, and why the others have none."""
    found: dict[str, str] = {}
    problems: dict[str, str] = {}
    for name in names:
        try:
            if os.path.isabs(name):
                found[name] = key_sources.key_file(Path(name))
            else:
                found[name] = key_sources.variable(name, os.environ)
        except UsageError as error:
            problems[name] = str(error)
    return found, problems


def report(hello: Hello, sources: Mapping[str, str], problems: dict[str, str]) -> Report:
    """Return the report of this process."""
    return Report(
        __version__,
        VERSION,
        _python(),
        platform.node(),
        network(),
        {name: _proof(hello, value) for name, value in sources.items()},
        problems,
    )


def problem(found: Report, hello: Hello, sources: Mapping[str, str], loopback: str | None) -> str | None:
    """Return why a worker cannot take part, as a sentence about it, or ``None``.

    ``loopback`` is an address that only this machine reaches, if the job has one.
    """
    here = (f"promptjobs {__version__}", f"frames {VERSION}", f"Python {_python()}")
    there = (f"promptjobs {found.version}", f"frames {found.frames}", f"Python {found.python}")
    for ours, theirs in zip(here, there, strict=True):
        if ours != theirs:
            return f"has {theirs}, and this machine has {ours}; install the same version there"
    if loopback is not None and found.network != network():
        return (
            f"cannot reach {loopback}, an address of this machine alone; use one that all nodes reach, "
            "or `endpoint_scope: worker` if each node has a server there"
        )
    for name, value in sources.items():
        if name in found.problems:
            return f"has no key: {found.problems[name]}; provide it there, or use --send-keys"
        if not hmac.compare_digest(found.proofs.get(name, b""), _proof(hello, value)):
            return f"has another {name} than this machine; provide the same there, or use --send-keys"
    return None


def network() -> str:
    """Return what identifies the loopback network of this process: machine, and namespace on Linux."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/net')}"
    except OSError:
        return f"{platform.node()} {uuid.getnode():x}"


def encode(message: Hello | Report) -> bytes:
    """Return the bytes of a message."""
    return msgspec.json.encode(message)


def decode_hello(data: bytes) -> Hello:
    """Return the question. Raises ``msgspec.DecodeError``."""
    return msgspec.json.decode(data, type=Hello)


def decode_report(data: bytes) -> Report:
    """Return the answer. Raises ``msgspec.DecodeError``."""
    return msgspec.json.decode(data, type=Report)


def _python() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def _proof(hello: Hello, value: str) -> bytes:
    return hmac.digest(hello.nonce, value.encode(), "sha256")
