"""Writes the section "Four ways through the code" of ``docs/architecture.md``.

Run it as ``python -m tests.docs.trace_ways``. It traces real runs against a loopback server.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import anyio
from anyio.from_thread import start_blocking_portal

from batch.app.run.execute import execute
from batch.app.run.options import RunOptions
from batch.app.setup.environment import Environment
from batch.events import ResultsDurable
from batch.jobfile.load import load_mapping
from batch.records import Failure, Reply, Request
from batch.testing import DONE, LAST_CHUNK, FaultServer, Pause, Send, chunk, delta, finish, head, status
from tests.support.value_trace import Handled, Sent, Tracer, Way, always, caller_of, holds, is_text, module_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

    from batch.events import Event
    from batch.testing import Action, Received, Script

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
BEGIN, END = "<!-- ways -->\n", "<!-- end of ways -->\n"

SECOND = "the-second"
"""In the id and the prompt of the request that is traced: the middle one of three, one after another."""

PIECE = "a-piece-of-text"
"""In the chunk that is traced, in the middle of a stream."""

BEFORE_PIECE = "the-piece-before"
"""In the chunk before it."""

VARIABLE = "WAYS_KEY"
KEY = "sk-an-api-key-of-some-length-0123456789"

PAUSE = 0.1
"""Seconds between two chunks, so that most are read alone."""


def handed_out(frame: FrameType, event: str, value: object) -> bool:
    """From where the request feed hands the request to the scheduler."""
    is_ours = event == "return" and isinstance(value, Request) and value.id == SECOND
    return is_ours and module_of(caller_of(frame)).startswith("scheduling.")


class Reported:
    """An observer, to which a durable result is reported last; as a bound, the end of the request."""

    def __init__(self) -> None:
        self._is_reported = False

    def observe(self, event: Event) -> None:
        """Wait for the result of the request."""
        if isinstance(event, ResultsDurable):
            self._is_reported |= any(result.id == SECOND for result in event.results)

    def __call__(self, frame: FrameType, event: str, value: object) -> bool:
        return self._is_reported


class Decoded:
    """The decoding of the chunk before the traced one; as a bound, the beginning of that chunk."""

    def __init__(self) -> None:
        self.is_seen = False

    def __call__(self, frame: FrameType, event: str, value: object) -> bool:
        if event == "call" and module_of(frame) == "wire.reply_builder":
            self.is_seen = holds(dict(frame.f_locals), partial(is_text, text=BEFORE_PIECE))
        return self.is_seen


class Stepwise(list["Action"]):
    """A script in steps; each begins once the condition of the one before it is true."""

    def __init__(self, *steps: tuple[Script, Callable[[], bool]]) -> None:
        super().__init__(action for actions, _ in steps for action in actions)
        self._steps = steps

    def __iter__(self) -> Iterator[Action]:
        for actions, is_done in self._steps:
            yield from actions
            while not is_done():
                yield Pause(PAUSE)


# The four ways


def is_request(value: object) -> bool:
    """Whether a value is the request in one of its forms: its texts, or the outcome of its attempt."""
    return isinstance(value, Reply | Failure) or is_text(value, SECOND)


def is_environment(value: object) -> bool:
    """Whether a value has all variables: a key is on its way from where it is read."""
    return isinstance(value, Environment) or (isinstance(value, dict) and VARIABLE in value)


def request_way(*, is_refused: bool = False) -> Way:
    """The way of one request; with ``is_refused``, its first attempt ends in 503 with ``Retry-After``."""
    reported = Reported()
    tracer = Tracer(partial(holds, is_it=is_request), handed_out, reported)
    run(_refusing() if is_refused else lambda _: stream(), tracer, reported)
    return tracer.way("One request", _REQUEST)


def retry_way() -> Way:
    """What a retry adds to the way of a request."""
    way = request_way(is_refused=True).without(request_way())
    return Way("One retry", _RETRY, way.passed, way.given, way.called)


def chunk_way() -> Way:
    """The way of one chunk, from the connection to the text of the reply."""
    has = partial(holds, is_it=partial(is_text, text=PIECE))
    decoded = Decoded()
    tracer = Tracer(has, decoded, Handled(has))
    traced = Stepwise(
        ([Send(head()), Send(chunk(delta(BEFORE_PIECE)))], lambda: decoded.is_seen),
        ([Send(chunk(delta(PIECE)))], lambda: tracer.is_over),
        (stream()[1:], lambda: True),
    )
    run(lambda received: traced if received.number == 2 else stream(), tracer)
    return tracer.way("One SSE chunk", _CHUNK)


def key_way() -> Way:
    """The way of a key, from the environment to the header."""
    has = partial(holds, is_it=partial(is_text, text=KEY), is_closed=is_environment)
    tracer = Tracer(has, always, Sent(has))
    run(lambda _: stream(), tracer)
    return tracer.way("One key", _KEY)


def run(script: Callable[[Received], Script], tracer: Tracer, *observers: Reported) -> None:
    """Run a job of three requests, one after another, against a server in another thread."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(FaultServer(script)) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        keys = {
            "name": "ways",
            "provider": "openai",
            "model": "m",
            "base_url": f"{server.url}/v1",
            "api_key_env": VARIABLE,
            "prompts": [{"id": name, "prompt": f"Say {name}"} for name in ("first", SECOND, "third")],
            "concurrency": 1,
            "output": {"path": "ways.jsonl"},
        }
        job = load_mapping(keys, Path(folder).resolve())
        here = Environment({VARIABLE: KEY}, Path(folder))
        with tracer:
            anyio.run(execute, job, here, observers, RunOptions())


def stream(middle: str = "other") -> Script:
    """An answer whose chunks arrive one by one, each with one event."""
    events = [delta("Hello"), delta(f" {middle}"), delta(" there")]
    pieces = [each for event in events for each in (Send(chunk(event)), Pause(PAUSE))]
    return [Send(head()), Pause(PAUSE), *pieces, Send(chunk(finish() + DONE) + LAST_CHUNK)]


def _refusing() -> Callable[[Received], Script]:
    """Refuse the second request, more slowly than the first was answered.

    The adaptive limiter treats quick and slow refusals differently. Without the pause, the load of the
    machine would decide which of them this is.
    """
    began = monotonic()

    def script(received: Received) -> Script:
        if received.number != 2:
            return stream()
        return [Pause(monotonic() - began), *status(503, b"", retry_after="0.2")]

    return script


_REQUEST = """\
From where the request feed hands the request out to where its result is reported durable."""
_RETRY = """\
What an attempt adds that ends in 503 with `Retry-After`: modules that are not on the way of one request."""
_CHUNK = """\
From where the connection gets its bytes to where the reply has its text; it is in the middle of a stream."""
_KEY = """\
From the environment to the `Authorization` header on the connection."""


def ways() -> list[Way]:
    """The four ways, as they are now."""
    return [request_way(), retry_way(), chunk_way(), key_way()]


def section(traced: Iterable[Way]) -> str:
    """The part of the page between its marks."""
    return BEGIN + "\n" + "\n".join(way.text() for way in traced) + "\n" + END


def page(text: str, traced: Iterable[Way]) -> str:
    """The page with a new section of ways."""
    before, _, rest = text.partition(BEGIN)
    return before + section(traced) + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), ways()), encoding="utf-8")
