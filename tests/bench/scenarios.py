"""What is measured: the shapes of replies, and how many of them a figure rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PACE = 50.0
"""Events a second a stream, where streams are paced."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One shape of traffic.

    ``unit``: figures are per request or per event. ``requests`` is N for a client that costs what a plain
    loop over lines costs; the figure is the slope between N and 3N. ``share`` scales N for the scenario's
    slower clients (it never falls below what is in flight when streams are paced, where N is that number).
    """

    name: str
    events: int
    in_flight: int
    requests: int
    unit: Literal["request", "event"]
    server: Literal["whole", "chunked", "paced"] = "whole"
    peers: bool = True
    tls: bool = False


SCENARIOS = (
    Scenario("short", 8, 64, 4000, "request"),
    Scenario("medium", 200, 64, 400, "event"),
    Scenario("long", 2000, 64, 64, "event"),
    Scenario("long chunked", 2000, 64, 64, "event", "chunked"),
    Scenario("paced", 200, 150, 150, "event", "paced"),
    Scenario("paced tls", 200, 150, 150, "event", "paced", tls=True),
    Scenario("paced 1000", 200, 1000, 1000, "event", "paced", peers=False),
)


@dataclass(frozen=True, slots=True)
class Client:
    """One client. ``module`` is a program of ``tests.bench.clients``; ``None`` is the whole command.

    ``weight`` scales the number of requests: fast clients need more of them for a figure above the noise,
    slow ones would take all day. ``ours`` says that it runs in this environment and not in the peers'.
    """

    name: str
    module: str | None
    weight: float
    package: str = ""
    options: tuple[str, ...] = ()
    ours: bool = False


COMMAND = Client("promptjobs run", None, 4, ours=True)
CLIENTS = (
    COMMAND,
    Client("promptjobs, client alone", "bare", 4, ours=True),
    Client("g4f, AutonomousAI class", "g4f_class", 1, "g4f"),
    Client("aiohttp, line loop", "aiohttp_lines", 1, "aiohttp"),
    Client("httpx, own loop", "httpx_loop", 1, "httpx"),
    Client("openai SDK", "openai_sdk", 1 / 6, "openai"),
    Client("openai SDK, aiohttp", "openai_sdk", 1 / 6, "openai", ("--transport", "aiohttp")),
    Client("litellm", "litellm_sdk", 1 / 30, "litellm"),
)


def requests(scenario: Scenario, client: Client, scale: float = 1.0) -> int:
    """N for this client: paced streams run in whole waves, so there it is what is in flight."""
    if scenario.server == "paced":
        return scenario.in_flight
    return max(2, round(scenario.requests * client.weight * scale))
