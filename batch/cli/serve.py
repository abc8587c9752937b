"""``promptjobs serve``"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from batch.cli.console import is_fancy, print_message
from batch.cli.flags import option

if TYPE_CHECKING:
    from batch.local_model.endpoint import Endpoint


@click.command("serve")
@option(
    "--engine",
    metavar="NAME",
    default="llama",
    show_default=True,
    help="llama, extractive, or the path of a GGUF file.",
)
@option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="The address to listen on.")
@option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    default=8080,
    show_default=True,
    help="The port to listen on; 0 picks a free one.",
)
@option("--api-key-env", metavar="NAME", help="The environment variable that holds the API key for clients.")
@option(
    "--no-auth",
    is_flag=True,
    help="Require no API key. Every program on this machine can use the model; other machines cannot.",
)
def command(engine: str, host: str, port: int, api_key_env: str | None, no_auth: bool) -> int:
    """Run the embedded model as a server.

    Serve a small language model on this machine, in both API dialects, until interrupted.
    """
    import anyio

    from batch.app.serve import engine_of, serve
    from batch.app.setup.environment import Environment

    chosen = engine_of(engine)

    async def foreground() -> None:
        await serve(
            chosen,
            Environment.current(),
            host=host,
            port=port,
            api_key_env=api_key_env,
            auth=not no_auth,
            announce=_announce if api_key_env or no_auth else _announce_with_key,
            progress=_Progress(),
        )

    anyio.run(foreground)
    return 0


def _announce(endpoint: Endpoint) -> None:
    print_message(f"{endpoint.model} is running at {endpoint.base_url}  (press Ctrl-C to stop)")
    print_message(f"  OpenAI dialect:       base URL {endpoint.base_url}/v1")
    print_message(f"  AutonomousAI dialect: base URL {endpoint.base_url}")


def _announce_with_key(endpoint: Endpoint) -> None:
    """Print the address, and the random key that was created for this run."""
    _announce(endpoint)
    print_message(f"  API key:              {endpoint.api_key}")


class _Progress:
    """Prints the progress of the download every ten percent."""

    def __init__(self) -> None:
        self._last_tenth = -1

    def __call__(self, done: int, total: int) -> None:
        tenth = 10 * done // total
        if tenth > self._last_tenth:
            self._last_tenth = tenth
            end = "\r" if is_fancy(sys.stderr) and tenth < 10 else "\n"
            print(f"downloading the model's weights: {tenth * 10} %", file=sys.stderr, end=end, flush=True)
