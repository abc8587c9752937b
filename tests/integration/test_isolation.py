"""Isolation of failures: a provider, a check, an encoder or an observer raises."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest
from msgspec.structs import replace

from batch.codec import decode_result, encode_results
from batch.errors import UnencodableError
from batch.observers import Observers
from batch.records import Failure, Reply, Request, Result, Verdict
from batch.results import result_line
from batch.results.result_log import ResultLog
from batch.runner import Run
from tests.support.engine_support import OK, START, Bench, MemorySink, always, requests
from tests.support.results_support import succeeded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch.events import Event


def raising(error: BaseException, *ids: str, times: int = 9) -> Any:
    """A script that raises for some requests, as often as that, and answers all others."""

    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        if request.id in ids and attempt <= times:
            raise error
        return 1, OK

    return script


class Unspeakable(Exception):  # noqa: N818 - so it is called in the messages below
    def __str__(self) -> str:
        raise RuntimeError("not even that")


ERRORS: list[tuple[BaseException, str]] = [
    (ValueError("bad\nvalue"), "ValueError: bad value ("),
    (RecursionError("maximum"), "RecursionError: maximum ("),
    (MemoryError(), "MemoryError ("),
    (ExceptionGroup("several", [KeyError("first"), OSError("second")]), "KeyError: 'first'"),
    (Unspeakable(), "Unspeakable ("),
    (AssertionError("\x1b[2J" + "x" * 5000), "AssertionError: \x1b[2Jxxx"),
]


@pytest.mark.parametrize(("error", "message"), ERRORS, ids=[type(error).__name__ for error, _ in ERRORS])
def test_a_provider_that_raises_fails_its_request_after_one_more_attempt(
    error: BaseException, message: str
) -> None:
    bench = Bench({"m": raising(error, "m-3")}, {"m": requests(20)})
    bench.play()
    by_id = {result.id: result for result in bench.sink.results}
    assert [result.status for result in by_id.values()].count("succeeded") == 19
    failed = by_id["m-3"].error
    assert failed is not None
    assert (failed.code, failed.retryable, by_id["m-3"].attempts) == ("internal_error", False, 2)
    assert failed.message.startswith(message)
    assert len(failed.message) < 400


def test_a_provider_that_raises_once_costs_one_attempt() -> None:
    bench = Bench({"m": raising(ValueError("once"), "m-3", times=1)}, {"m": requests(20)})
    bench.play()
    assert bench.statuses == ["succeeded"] * 20


@pytest.mark.parametrize("value", [None, "text", 7, Reply(None, Verdict.COMPLETE)])  # type: ignore[arg-type]
def test_a_provider_that_returns_no_outcome_fails_its_request(value: Any) -> None:
    def script(request: Request, attempt: int) -> tuple[float, Any]:
        return 1, value if request.id == "m-3" else OK

    bench = Bench({"m": script}, {"m": requests(20)})
    bench.play()
    failed = [result for result in bench.sink.results if result.error is not None]
    assert [(result.id, result.error and result.error.code) for result in failed] == [
        ("m-3", "internal_error")
    ]
    assert len(bench.sink.results) == 20


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_an_interrupt_is_no_failure(error: BaseException) -> None:
    bench = Bench({"m": raising(error, "m-3")}, {"m": requests(20)})
    with pytest.raises(BaseExceptionGroup) as caught:
        bench.play()
    assert caught.group_contains(type(error))


@pytest.mark.anyio
async def test_a_stray_cancellation_fails_its_request_and_a_real_one_ends_the_run() -> None:
    """Such as of a future that several tasks wait for."""

    class Provider:
        async def complete(self, request: Request) -> Reply | Failure:
            if request.id == "m-3":
                future = asyncio.get_running_loop().create_future()
                future.cancel()
                await future
            if request.id == "m-9":
                await anyio.sleep_forever()
            await anyio.lowlevel.checkpoint()
            return OK

    bench = Bench({"m": always(0, OK)}, {"m": requests(12)}, limit=4)
    bench.run._providers = {"m": Provider()}
    with anyio.move_on_after(3) as scope:
        await bench.run.run()
    assert scope.cancelled_caught
    assert len(bench.sink.results) == 11, "what has finished is written"
    failed = [result for result in bench.sink.results if result.error is not None]
    assert [result.id for result in failed] == ["m-3"]


def test_a_check_that_raises_is_an_invalid_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"type": "json_schema", "json_schema": {"schema": {"multipleOf": 0}}}
    rows = [
        Request(f"m-{n}", "f", "m", "m", ({"role": "user", "content": "?"},), {"response_format": wrong})
        if n == 3
        else request
        for n, request in enumerate(requests(5))
    ]
    reply = Reply("1", Verdict.COMPLETE, "stop")
    bench = Bench({"m": always(1, reply)}, {"m": rows})
    bench.play()
    failed = {result.id: result for result in bench.sink.results if result.error is not None}
    assert list(failed) == ["m-3"]
    error = failed["m-3"].error
    assert error is not None
    assert (error.code, error.retryable, failed["m-3"].attempts) == ("invalid_output", False, 1)
    assert error.message.startswith("checking the answer failed: ZeroDivisionError")
    assert failed["m-3"].partial_text == "1"


class BrokenObserver:
    """An observer that always raises, as one on a terminal that was closed."""

    def __init__(self) -> None:
        self.kinds: set[str] = set()

    def observe(self, event: Event) -> None:
        self.kinds.add(type(event).__name__)
        raise OSError("gone")


def test_an_observer_that_raises_ends_no_run_and_keeps_no_event_from_others() -> None:
    bench = Bench({"m": raising(ValueError("x"), "m-3")}, {"m": requests(20)})
    broken = BrokenObserver()
    observers = Observers([broken, bench.diary])
    bench.run = Run(bench.scheduler, bench.providers, bench.sink, observers, clock=lambda: START)
    bench.play()
    assert len(bench.sink.results) == len(bench.diary.done) == 20
    assert bench.diary.notices == ["the progress report failed; the run continues: OSError: gone"]
    assert broken.kinds > {"AttemptStarted", "AttemptFailed", "ResultsDurable", "ObserverFailed", "Notice"}


# Results that have no form in JSON


class Odd:
    """A value that no encoder knows."""


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


UNENCODABLE: dict[str, Any] = {
    "an object": Odd(),
    "an odd key": {(1, 2): 3},
    "deep": nested(100_000),
    "a loop": [],
}
if sys.version_info < (3, 12):  # later Pythons read whatever they can write
    UNENCODABLE["too deep to be read"] = nested(1100)
UNENCODABLE["a loop"].append(UNENCODABLE["a loop"])


@pytest.mark.parametrize("field", ["parsed", "metadata", "messages", "tool_calls"])
@pytest.mark.parametrize("value", UNENCODABLE.values(), ids=UNENCODABLE)
@pytest.mark.anyio
async def test_a_result_that_cannot_be_encoded_fails_alone(value: Any, field: str, tmp_path: Path) -> None:
    odd = {"key": value} if field == "metadata" else [{"key": value}]
    output = tmp_path / "out.jsonl"
    results = [succeeded(f"r-{n}") for n in range(3)]
    results[1] = replace(results[1], **{field: odd})
    with ResultLog.open(output) as log:
        with pytest.raises(UnencodableError) as caught:
            await log.write(results)
        assert list(caught.value.why) == [1]
        assert not output.exists(), "none was written"
        await log.write(result_line.encodable(results, caught.value.why))
    lines = [decode_result(line) for line in output.read_bytes().splitlines()]
    assert [line.status for line in lines] == ["succeeded", "failed", "succeeded"]
    error = lines[1].error
    assert error is not None
    assert (error.code, error.retryable) == ("unencodable", False)
    assert error.message.startswith("the result cannot be written as JSON: ")
    assert lines[1].partial_text == results[1].text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**200, {1: 2}, "\ud800", nested(150)])
def test_what_has_a_form_in_json_is_written(value: Any) -> None:
    (line,) = encode_results([replace(succeeded("a"), parsed=value)])
    assert decode_result(line).id == "a"


def test_the_engine_writes_the_other_results_of_the_batch() -> None:
    class Sink(MemorySink):
        async def write(self, results: Sequence[Result]) -> None:
            encode_results(results)
            await super().write(results)

    rows = [
        Request(request.id, "f", "m", "m", request.messages, metadata={"x": Odd()} if n == 3 else {})
        for n, request in enumerate(requests(20))
    ]
    bench = Bench({"m": always(1, OK)}, {"m": rows}, sink=Sink())
    bench.play()
    assert sorted(bench.statuses) == ["failed"] + ["succeeded"] * 19
    assert [result.status for result in bench.diary.done].count("failed") == 1
