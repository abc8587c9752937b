"""Fakes for testing clients of language models: a server that injects faults, and a provider without one.

A ``FaultServer`` is a real HTTP server on loopback that plays a script of bytes, pauses and cuts. A script
can contain any bytes, so that every fault of a network or a server is one line::

    from batch.testing import Cut, FaultServer, Send, answer, delta, head

    async with FaultServer([Send(head()), Send(delta("Hel")), Cut()], answer("Hello")) as server:
        ...  # run what you want to test against server.url: its first request is cut, its second answered
    assert len(server.requests) == 2

The first request gets the first script, the second the second, and so on; the last script serves all later
ones. A function from a request to its script can decide by the request::

    def script(request: Received) -> Script:
        return status(429, b"", retry_after="1") if request.number < 3 else answer("Hello")

    async with FaultServer(script) as server: ...

A ``ScriptedProvider`` replaces a whole endpoint, without a socket and optionally in virtual time.
"""

from __future__ import annotations

from batch.providers.scripted import ScriptedProvider
from batch.testing.fault_server import FaultServer, Received
from batch.testing.replies import DONE, LAST_CHUNK, answer, chunk, delta, event, finish, head, status, whole
from batch.testing.script import Action, Cut, Drip, Pause, Reset, Script, Send, Stall

__all__ = [
    "DONE",
    "LAST_CHUNK",
    "Action",
    "Cut",
    "Drip",
    "FaultServer",
    "Pause",
    "Received",
    "Reset",
    "Script",
    "ScriptedProvider",
    "Send",
    "Stall",
    "answer",
    "chunk",
    "delta",
    "event",
    "finish",
    "head",
    "status",
    "whole",
]
