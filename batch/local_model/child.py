"""The process of the embedded endpoint: ``python -m batch.local_model --engine …``.

It belongs to a parent that holds a pipe to its standard input, and follows these rules:

1. Once it accepts requests, it prints one JSON line on standard output (``endpoint``). If it cannot start,
   that line contains the error, and the exit code is 1.
2. It ends at SIGTERM, immediately, by the signal's default action: llama.cpp hangs if it is shut down in
   order while it answers.
3. It ignores SIGINT, which a terminal sends to the whole process group: the parent still needs its answers.
4. It ends when its standard input does: then the parent has ended. Another child process of the parent may
   hold that pipe open, so on Linux the kernel also sends a signal.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import errno
import os
import secrets
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from aiohttp import web

from batch.errors import LocalModelError
from batch.local_model.endpoint import KEY_VARIABLE, Endpoint, encode_failed, encode_ready
from batch.local_model.engine_extractive import ExtractiveEngine
from batch.local_model.engine_llama import LlamaEngine
from batch.local_model.server import make_app
from batch.local_model.weights import DEFAULT, sha256_of, verify
from batch.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.local_model.chat import Engine

_PR_SET_PDEATHSIG = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until killed; return only if the endpoint could not start."""
    args = _parser().parse_args(argv)
    _tie_to_parent()
    given = os.environ.pop(KEY_VARIABLE, "")
    key = None if args.no_auth else given or secrets.token_urlsafe(32)
    with _claimed_stdout() as stdout:
        try:
            engine, sha256 = load(args.engine, args.weights)
            asyncio.run(_serve(engine, sha256, key, args.host, args.port, stdout))
        except (LocalModelError, OSError, OverflowError, ValueError) as error:
            stdout.write(encode_failed(str(error)))
    return 1


def load(engine: str, weights: Path | None) -> tuple[Engine, str | None]:
    """Load the engine by its name or GGUF path; return it and the hash of the loaded file.

    Engine ``llama`` uses the default weights from ``weights``, and no others. Raises ``LocalModelError``.
    """
    if engine == "extractive":
        return ExtractiveEngine(), None
    if engine != "llama":
        path = Path(engine)
        sha256 = sha256_of(path)
        return LlamaEngine(path, served_by=path.stem), sha256
    if weights is None:
        raise LocalModelError("engine llama needs --weights")
    verify(weights, DEFAULT.member_sha256)
    return LlamaEngine(weights, served_by=_served_by(weights)), DEFAULT.member_sha256


def _served_by(weights: Path) -> str:
    return weights.stem.lower().replace(".", "-")


async def _serve(
    engine: Engine, sha256: str | None, key: str | None, host: str, port: int, stdout: BinaryIO
) -> None:
    app = make_app(engine, key, loopback_only=is_loopback(host))
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise LocalModelError(_not_bound(error, host, port)) from error
    bound_host, bound_port = runner.addresses[0][:2]
    base_url = f"http://{f'[{bound_host}]' if ':' in bound_host else bound_host}:{bound_port}"
    stdout.write(encode_ready(Endpoint(base_url, key or "", engine.served_by, engine.name, sha256)))
    stdout.flush()
    await asyncio.Event().wait()


def _not_bound(error: OSError, host: str, port: int) -> str:
    """Say why an address cannot be listened on, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is in use by another program; name another one with --port, "
            "or a free one with --port 0"
        )
    if error.errno == errno.EACCES:
        return f"port {port} of {host} is reserved for the system; name one from 1024 with --port"
    if error.errno in (errno.EADDRNOTAVAIL, None):  # asyncio of Python 3.13 names no errno for it
        return f"{host} is not an address of this machine; name one with --host, such as 127.0.0.1"
    return f"{host}, port {port}, cannot be listened on: {error.strerror or error}"


def _tie_to_parent() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        _request_death_signal(os.getppid())
    threading.Thread(target=_end_with_stdin, name="parent-watch", daemon=True).start()


def _request_death_signal(parent: int) -> None:
    """Request a signal from the kernel when the parent ends, and end with it.

    The signal is also sent at the end of the parent's *thread* that started this process, so check whether
    the parent still runs.
    """

    def end_if_orphan(_signal: int, _frame: object) -> None:
        if os.getppid() != parent:
            os._exit(0)

    signal.signal(signal.SIGUSR1, end_if_orphan)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1)


def _end_with_stdin() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


def _claimed_stdout() -> BinaryIO:
    """Reserve standard output for the one line; other output goes to standard error."""
    claimed = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return claimed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m batch.local_model",
        description="The embedded endpoint, as promptjobs starts it. People use `promptjobs serve`.",
    )
    parser.add_argument("--engine", required=True, help="llama, extractive, or the path of a GGUF file")
    parser.add_argument("--weights", type=Path, help="the default weights, for engine llama")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument("--no-auth", action="store_true", help="ask for no key; on a loopback address only")
    return parser
