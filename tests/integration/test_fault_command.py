"""Faults from the user's view: the real command, its results, its exit code, and the server's requests.

Each job asks one endpoint a fault, so that a few processes do for many faults.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from batch.testing import (
    DONE,
    LAST_CHUNK,
    Cut,
    FaultServer,
    Pause,
    Reset,
    Script,
    Send,
    Stall,
    answer,
    chunk,
    delta,
    event,
    finish,
    head,
    status,
    whole,
)
from tests.support.cli_support import Cli, in_thread

if TYPE_CHECKING:
    from tests.conftest import Ended

HELLO = delta("Hel") + delta("lo")


def stream(*parts: bytes) -> Send:
    return Send(head() + chunk(b"".join(parts)))


class Fault(NamedTuple):
    """The scripts of an endpoint's requests in order, and the expected fields of the result line."""

    scripts: list[Script]
    requests: int
    line: dict[str, Any]


def succeeded(text: str = "Hello", verdict: str = "complete", attempts: int = 1) -> dict[str, Any]:
    return {"status": "succeeded", "text": text, "verdict": verdict, "attempts": attempts, "error": None}


def failed(code: str, attempts: int, partial: str | None = None) -> dict[str, Any]:
    return {"status": "failed", "text": None, "code": code, "attempts": attempts, "partial_text": partial}


MENDED = {
    "whole object": Fault([whole("Hello")], 1, succeeded()),
    "no done": Fault([[stream(HELLO, finish()), Cut()]], 1, succeeded()),
    "no reason": Fault([[stream(HELLO, DONE), Cut()]], 1, succeeded(verdict="unverified")),
    "length": Fault([answer("Hello", reason="length")], 1, succeeded(verdict="length")),
    "left open": Fault([[stream(HELLO, finish(), DONE), Stall()]], 1, succeeded()),
    "cut once": Fault([[stream(HELLO), Reset()], answer("Hello")], 2, succeeded(attempts=2)),
    "silent once": Fault([[stream(HELLO), Stall()], answer("Hello")], 2, succeeded(attempts=2)),
    "busy once": Fault([status(429, retry_after_ms="20"), answer("Hello")], 2, succeeded(attempts=2)),
    "error once": Fault(
        [[stream(HELLO, event({"error": "overloaded"})), Stall()], answer("Hello")], 2, succeeded(attempts=2)
    ),
}

LOST = {
    "always cut": Fault([[stream(HELLO), Cut()]], 3, failed("truncated", 3, "Hello")),
    "always silent": Fault([[stream(HELLO), Stall()]], 3, failed("idle_timeout", 3, "Hello")),
    "always busy": Fault([status(503)], 3, failed("http_503", 3)),
    "no JSON": Fault([[stream(HELLO, b"data: {\n\n"), Stall()]], 2, failed("bad_event", 2, "Hello")),
    "no UTF-8": Fault([[stream(HELLO, b"data: \xff\n\n"), Stall()]], 2, failed("encoding", 2, "Hello")),
    "nothing said": Fault([[stream(finish(), DONE)]], 2, failed("empty", 2)),
    "filtered": Fault([answer("Hello", reason="content_filter")], 1, failed("filtered", 1, "Hello")),
    "refused": Fault([status(422, b'{"error": {"message": "no"}}')], 1, failed("bad_request", 1)),
    "too large": Fault(
        [[stream(HELLO), Send(chunk(b"data: " + b"x" * 17 * 2**20))]], 1, failed("too_large", 1, "Hello")
    ),
}


class Endpoints:
    """A fault server that plays each endpoint's own scripts, distinguished by path."""

    def __init__(self, faults: dict[str, Fault]) -> None:
        self.faults = faults
        self.asked: Counter[str] = Counter()
        self.server = FaultServer(lambda received: self._script(received.target))

    def _script(self, target: str) -> Script:
        name = list(self.faults)[int(target.split("/")[1])]
        scripts = self.faults[name].scripts
        self.asked[name] += 1
        return scripts[min(self.asked[name], len(scripts)) - 1]

    def job(self) -> dict[str, Any]:
        """One model for each endpoint."""
        return {
            "provider": "openai",
            "prompt": "?",
            "models": [
                {"id": name, "model": "m", "base_url": f"{self.server.url}/{number}"}
                for number, name in enumerate(self.faults)
            ],
            "retries": {"max_attempts": 3, "base": 0.01, "cap": 0.05},
            "timeouts": {"idle": 3, "first_byte": 20},  # 17 MiB must come within it on a busy machine
            "concurrency": 20,
        }


def run(cli: Cli, job: dict[str, Any]) -> tuple[Ended, dict[str, dict[str, Any]]]:
    """Run the job; return its exit, and its result lines by id, each with its error code."""
    (cli.folder / "job.yaml").write_text(json.dumps(job), encoding="utf-8")
    ended = cli("run", "job.yaml", "--json")
    output = cli.folder / "output" / "job.jsonl"
    lines = [json.loads(line) for line in output.read_text("utf-8").splitlines()] if output.exists() else []
    return ended, {line["id"]: line | {"code": (line["error"] or {}).get("code")} for line in lines}


@pytest.mark.parametrize(("faults", "code"), [(MENDED, 0), (LOST, 1)], ids=["mended", "lost"])
def test_each_fault_gives_its_result_line(cli: Cli, faults: dict[str, Fault], code: int) -> None:
    endpoints = Endpoints(faults)
    with in_thread(endpoints.server):
        ended, lines = run(cli, endpoints.job())
    assert ended.code == code, ended.stderr
    assert endpoints.asked == Counter({name: fault.requests for name, fault in faults.items()})
    assert {name: {key: line[key] for key in faults[name].line} for name, line in lines.items()} == {
        name: fault.line for name, fault in faults.items()
    }
    histories = {name: len(line["error"]["history"]) for name, line in lines.items() if line["error"]}
    assert histories == {name: fault.requests for name, fault in faults.items() if fault.line.get("code")}


HELD = {
    "wrong key": status(401, b'{"error": {"message": "Incorrect API key provided: sk-12345678"}}'),
    "no permission": status(403),
    "nothing paid": status(402),
    "used up": status(429, b'{"error": {"code": "insufficient_quota"}}'),
    "wrong path": status(404),
    "wrong method": status(405),
}


def test_an_endpoint_that_refuses_everything_costs_a_handful_and_the_others_stay_pending(
    cli: Cli,
) -> None:
    faults = {name: Fault([script], 1, {}) for name, script in HELD.items()}
    endpoints = Endpoints(faults | {"good": Fault([answer("Hello")], 5, {})})
    with in_thread(endpoints.server):
        job = endpoints.job()
        del job["prompt"]
        job["prompts"] = [{"id": str(number), "prompt": "?"} for number in range(5)]
        ended, lines = run(cli, job)
        costs = dict.fromkeys(HELD, 1) | {"no permission": 5, "nothing paid": 5}  # each may be one request's
        assert endpoints.asked == Counter({**costs, "good": 5})
        assert ended.code == 7
        assert set(lines) == {f"{number}/good" for number in range(5)}
        assert (ended.summary["succeeded"], ended.summary["pending"]) == (5, 5 * len(HELD))


def test_no_server_at_the_address_is_exit_code_7(cli: Cli) -> None:
    job = {"provider": "openai", "model": "m", "base_url": "http://127.0.0.1:9", "prompt": "?"}
    ended, lines = run(cli, job)
    assert (ended.code, lines) == (7, {})
    assert "connect" in ended.stderr


def test_an_outage_longer_than_its_limit_is_exit_code_75_and_the_next_run_resumes(
    cli: Cli,
) -> None:
    names = [str(number) for number in range(15)]
    job: dict[str, Any] = {
        "provider": "openai",
        "model": "m",
        "prompts": [{"id": name, "prompt": "?"} for name in names],
        "retries": {"base": 0.01, "cap": 0.05},
        "timeouts": {"outage": 0.3},
        "concurrency": 12,
    }
    with in_thread(FaultServer(status(503))) as server:
        ended, lines = run(cli, job | {"base_url": server.url})
        assert (ended.code, lines) == (75, {}), ended.stderr
        assert ended.summary["pending"] == 15
    with in_thread(FaultServer(answer("Hello"))) as server:
        ended, lines = run(cli, job | {"base_url": server.url})
        assert (ended.code, sorted(lines)) == (0, sorted(names))
        assert {line["attempts"] for line in lines.values()} == {1}


def test_a_slow_but_steady_answer_exceeds_no_timeout(cli: Cli) -> None:
    slow: list[Any] = [Send(head())]
    for _ in range(7):
        slow += [Send(chunk(delta("a"))), Pause(0.3)]
    end = Send(chunk(finish() + DONE) + LAST_CHUNK)
    endpoints = Endpoints({"slow": Fault([[*slow, end]], 1, succeeded("aaaaaaa"))})
    with in_thread(endpoints.server):
        ended, lines = run(cli, endpoints.job() | {"timeouts": {"idle": 1, "first_byte": 20}})
    assert ended.code == 0
    (line,) = lines.values()
    assert (line["text"], line["attempts"]) == ("aaaaaaa", 1)
    assert line["timings"]["total"] > 2


def test_the_time_in_the_queue_counts_against_no_timeout(cli: Cli) -> None:
    job = {
        "provider": "openai",
        "model": "m",
        "prompts": [{"id": str(number), "prompt": "?"} for number in range(6)],
        "concurrency": 1,
        "timeouts": {"connect": 0.5, "first_byte": 0.5, "total": 0.5},
    }
    with in_thread(FaultServer([Pause(0.15), *answer("Hello")])) as server:
        ended, lines = run(cli, job | {"base_url": server.url})
    assert ended.code == 0
    assert {line["attempts"] for line in lines.values()} == {1}
    assert sum(line["timings"]["total"] for line in lines.values()) > 0.5, "the last one waited longer"


@pytest.mark.parametrize(("reasoning", "kept"), [("keep", "Hm.\nOh."), ("drop", None)])
def test_reasoning_is_kept_in_its_own_field_or_dropped(cli: Cli, reasoning: str, kept: str | None) -> None:
    said = delta(reasoning_content="Hm.") + delta("<think>Oh.</think>42")
    reply = [stream(said, finish(), DONE), Send(LAST_CHUNK)]
    with in_thread(FaultServer(reply)) as server:
        job = {"provider": "openai", "model": "m", "prompt": "?", "base_url": server.url}
        ended, lines = run(cli, job | {"reasoning": reasoning})
    assert ended.code == 0
    (line,) = lines.values()
    assert (line["text"], line["reasoning"]) == ("42", kept)


def test_tool_calls_and_refusals_are_results(cli: Cli) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    called: Script = [stream(delta(tool_calls=[{"index": 0, **call}]), finish("tool_calls"), DONE), Stall()]
    refused: Script = [stream(delta(refusal="I can't."), finish(), DONE), Stall()]
    faults = {"called": Fault([called], 1, {}), "refused": Fault([refused], 1, {})}
    endpoints = Endpoints(faults)
    with in_thread(endpoints.server):
        ended, lines = run(cli, endpoints.job())
    assert ended.code == 0
    assert (lines["called"]["tool_calls"], lines["called"]["finish_reason"]) == ([call], "tool_calls")
    assert (lines["refused"]["text"], lines["refused"]["refusal"]) == ("", "I can't.")
