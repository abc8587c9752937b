"""Run the embedded endpoint in the foreground, for ``promptjobs serve``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from batch.errors import UsageError
from batch.jobfile.endpoint_checks import ENGINES
from batch.local_model.foreground import serve as serve_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.app.setup.environment import Environment
    from batch.local_model.endpoint import Endpoint


def engine_of(name: str) -> str:
    """Return ``llama``, ``extractive``, or the absolute path of a file. Raises ``UsageError``."""
    if name in ENGINES:
        return name
    if not Path(name).is_file():
        raise UsageError(f"the engine {name!r} is neither {' nor '.join(ENGINES)} nor a file")
    return str(Path(name).resolve())


async def serve(
    engine: str,
    environment: Environment,
    *,
    host: str,
    port: int,
    api_key_env: str | None,
    auth: bool = True,
    announce: Callable[[Endpoint], None],
    progress: Callable[[int, int], None],
) -> None:
    """Serve until a signal. Without ``auth``, clients need no key.

    Raises ``UsageError`` and ``LocalModelError``.
    """
    if api_key_env and not auth:
        raise UsageError("--no-auth and --api-key-env cannot be combined")
    key = environment.variable(api_key_env) if api_key_env else None
    await serve_engine(
        engine,
        host=host,
        port=port,
        key=key,
        auth=auth,
        cache=environment.cache,
        announce=announce,
        progress=progress,
    )
