"""Fakes for testing what talks to language models: a server that misbehaves, and a provider without one.

A ``FaultServer`` is a real HTTP server on loopback that plays a script of bytes, pauses and breaks. It speaks
whatever the script says, so that every fault a network or a server can show is one line::

    from batch.testing import Cut, FaultServer, Send, answer, delta, head

    async with FaultServer([Send(head()), Send(delta("Hel")), Cut()], answer("Hello")) as server:
        ...  # run what you want to test against server.url: its first request is cut, its second answered
    assert len(server.requests) == 2

The first request gets the first script, the second the second, and so on; the last script serves all that
follow. A function from a request to its script decides by what was asked::

    def script(request: Received) -> Script:
        return status(429, b"", retry_after="1") if request.number < 3 else answer("Hello")

    async with FaultServer(script) as server: ...

A ``ScriptedProvider`` stands in for a whole endpoint, without a socket and in virtual time if you like.
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
