"""False token counts and costs from a server: none lets a run exceed its limit by more than an estimate errs.

The server is a real one on loopback, which knows what each exchange has taken and reports something else.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import batch
from batch.testing import DONE, LAST_CHUNK, FaultServer, Script, Send, chunk, event, head, status

if TYPE_CHECKING:
    from pathlib import Path

    from batch.run_summary import Summary
    from batch.testing import Received

WORDS = "The river rose in the night and took the old bridge with it . "
"""Fifteen tokens of any tokenizer, 62 bytes."""

ANSWER = WORDS * 8
ANSWER_TOKENS = 120
MAX_TOKENS = 150
PROMPT = WORDS * 10
PROMPT_TOKENS = 150 + 10
"""The words and what a chat template puts around them."""

PRICE = {"input": 1000000, "output": 2000000, "cached_input": 100000, "cache_write": 1250000}
"""Per million tokens: a token of a prompt costs 1, one of an answer 2."""

EXCHANGE = {"tokens": PROMPT_TOKENS + ANSWER_TOKENS, "cost": PROMPT_TOKENS + 2 * ANSWER_TOKENS}
"""What one exchange really takes."""

ROWS = 12
LIMIT = {"tokens": 1500, "cost": 2200}
"""Enough for five exchanges, and not for six."""

HUGE = 10**18


def usage(prompt: Any, completion: Any, total: Any, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total, **more}


def details(*, cached: Any = None, reasoning: Any = None) -> dict[str, Any]:
    return {
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


HONEST = usage(160, 120, 280)

FALSE: dict[str, list[Any]] = {
    "zeros": [usage(0, 0, 0)],
    "ones": [usage(1, 1, 2)],
    "no answer": [usage(160, 0, 160)],
    "one token of an answer": [usage(160, 1, 161)],
    "no prompt": [usage(0, 120, 120)],
    "one token of a prompt": [usage(1, 120, 121)],
    "negative": [usage(-160, -120, -280)],
    "a negative answer": [usage(160, -120, 40)],
    "texts": [usage("160", "120", "280")],
    "texts that are no numbers": [usage("NaN", "Infinity", "many")],
    "NaN": [usage(float("nan"), float("nan"), float("nan"))],
    "infinite": [usage(float("inf"), float("inf"), float("inf"))],
    "fractions": [usage(0.5, 0.25, 0.75)],
    "booleans": [dict.fromkeys(HONEST, True)],
    "nested nulls": [usage(None, None, None, prompt_tokens_details=None, completion_tokens_details=None)],
    "lists": [usage([160], [120], [280])],
    "null": [None],
    "a list": [[160, 120, 280]],
    "a text": ["280 tokens"],
    "a number": [280],
    "empty": [{}],
    "only a total": [{"total_tokens": 2}],
    "a total below the sum": [usage(160, 120, 3)],
    "no total": [{"prompt_tokens": 160, "completion_tokens": 120}],
    "smaller later": [HONEST, usage(1, 1, 2)],
    "zeros later": [HONEST, usage(0, 0, 0)],
    "null later": [HONEST, None],
    "one token an event, never added up": [usage(160, 1, 161)] * 9,
    "cumulative in every event": [usage(160, count, 160 + count) for count in range(1, 121)],
    "reported twice": [HONEST, HONEST],
    "more cached than the prompt has": [HONEST | details(cached=5000)],
    "all of the prompt cached": [HONEST | details(cached=160)],
    "negative cached": [HONEST | details(cached=-160)],
    "huge cached": [HONEST | details(cached=HUGE)],
    "cached as a text": [HONEST | details(cached="160")],
    "details of a wrong type": [HONEST | {"prompt_tokens_details": [160], "completion_tokens_details": "x"}],
    "more reasoning than the answer has": [usage(160, 20, 180) | details(reasoning=100)],
    "Anthropic's names for a cache of nothing": [
        HONEST | {"cache_read_input_tokens": -1, "cache_creation_input_tokens": "1"}
    ],
    "cost 0": [HONEST | {"cost": 0}],
    "next to no cost": [HONEST | {"cost": 1e-300}],
    "cost 0 and no tokens": [usage(0, 0, 0, cost=0)],
    "negative cost": [HONEST | {"cost": -400}],
    "cost NaN": [HONEST | {"cost": float("nan")}],
    "infinite cost": [HONEST | {"cost": float("-inf")}],
    "cost as a text": [HONEST | {"cost": "0.000001"}],
    "cost as a boolean": [HONEST | {"cost": False}],
    "cost null": [HONEST | {"cost": None, "cost_details": None}],
    "huge": [usage(HUGE, HUGE, 2 * HUGE)],
    "a huge cost": [HONEST | {"cost": HUGE}],
}
"""What the server reports, one report an event."""


def streamed(reports: list[Any], *, is_late: bool) -> Script:
    """The answer in pieces, with the reports beside them, or after the finish reason without choices."""
    step = max(1, len(ANSWER) // max(1, len(reports)))
    pieces = [ANSWER[start : start + step] for start in range(0, len(ANSWER), step)]
    said = b""
    for number, piece in enumerate(pieces):
        beside = {"usage": reports[number]} if not is_late and number < len(reports) else {}
        said += event({"choices": [{"index": 0, "delta": {"content": piece}}]} | beside)
    said += event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    said += b"".join(event({"choices": [], "usage": report}) for report in reports) if is_late else b""
    return [Send(head() + chunk(said + DONE) + LAST_CHUNK)]


def in_one_piece(reports: list[Any]) -> Script:
    message = {"role": "assistant", "content": ANSWER}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = json.dumps({"choices": [choice], "usage": reports[-1]}).encode()
    return status(200, body, content_type="application/json")


def job(folder: Path, url: str, kind: str, dialect: str = "openai") -> None:
    address = f"{url}/v1" if dialect == "openai" else url
    model = {"model": "llama", "price": PRICE}
    settings = {
        "provider": dialect,
        "base_url": address,
        "model": model,
        "prompt": "{{ text }}",
        "inputs": {"jsonl": "rows.jsonl"},
        "params": {"max_tokens": MAX_TOKENS},
        "limits": {kind: LIMIT[kind]},
        "concurrency": 1,
    }
    rows = [json.dumps({"id": f"row-{number}", "text": PROMPT}) for number in range(ROWS)]
    (folder / "rows.jsonl").write_text("\n".join(rows) + "\n")
    (folder / "job.yaml").write_text(json.dumps(settings))


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "output/job.jsonl").read_text().splitlines()]


async def check(folder: Path, script: Script, kind: str, dialect: str = "openai") -> Summary:
    """Run the job; the server's real usage stays within the limit."""

    def answer(_: Received) -> Script:
        return script

    async with FaultServer(answer) as server:
        job(folder, server.url, kind, dialect)
        summary = await batch.arun(folder / "job.yaml")
    assert 0 < len(server.requests) * EXCHANGE[kind] <= LIMIT[kind]
    assert (summary.exit_code, summary.reasons[0].split(":")[0]) == (8, f"limits.{kind}")
    assert {(line["status"], line["text"]) for line in lines(folder)} == {("succeeded", ANSWER)}
    assert len(lines(folder)) == len(server.requests)
    return summary


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["tokens", "cost"])
@pytest.mark.parametrize("name", FALSE)
async def test_no_false_report_lets_a_run_exceed_its_limit(tmp_path: Path, name: str, kind: str) -> None:
    await check(tmp_path, streamed(FALSE[name], is_late=False), kind)


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", ["openai", "autonomous"])
@pytest.mark.parametrize("shape", ["late", "whole"])
@pytest.mark.parametrize(
    "name", ["zeros", "ones", "texts", "NaN", "smaller later", "cost 0", "more cached than the prompt has"]
)
async def test_no_late_or_unstreamed_false_report_lets_a_run_exceed_its_limit(
    tmp_path: Path, name: str, dialect: str, shape: str
) -> None:
    reports = FALSE[name]
    script = in_one_piece(reports) if shape == "whole" else streamed(reports, is_late=True)
    await check(tmp_path, script, "cost", dialect)


@pytest.mark.anyio
@pytest.mark.parametrize("report", [HONEST, HONEST | details(cached=64, reasoning=20)])
async def test_honest_reports_use_the_limit_to_its_end(tmp_path: Path, report: dict[str, Any]) -> None:
    summary = await check(tmp_path, streamed([report], is_late=True), "tokens")
    assert summary.sent == 5, "1120 are spent before the fifth, which may take 310"


@pytest.mark.anyio
async def test_a_report_that_uses_up_the_limit_alone_ends_the_run_and_is_named(tmp_path: Path) -> None:
    """A server may add a long prompt of its own: a plausible count is accepted and reported."""
    summary = await check(tmp_path, streamed([usage(9_000_000, 120, 9_000_120)], is_late=True), "tokens")
    assert summary.sent == 1
    (reason,) = summary.reasons
    assert reason.startswith("limits.tokens: 9000120 of 1500 spent, and the next request may take ")
    assert reason.endswith("; the server reported 9000120 for one attempt, for which 361 had been reserved")


@pytest.mark.anyio
async def test_a_report_with_an_error_counts_if_it_is_plausible(tmp_path: Path) -> None:
    """Half an answer, an error with a report of 1 token, and no retry that could repair it."""
    half = event({"choices": [{"index": 0, "delta": {"content": ANSWER}}]})
    error = event({"error": {"message": "broken", "code": 400}, "usage": usage(1, 1, 2)})
    async with FaultServer([Send(head() + chunk(half + error) + LAST_CHUNK)]) as server:
        job(tmp_path, server.url, "tokens")
        summary = await batch.arun(tmp_path / "job.yaml", overrides={"retries.max_attempts": 1})
    assert len(server.requests) * EXCHANGE["tokens"] <= LIMIT["tokens"]
    assert summary.exit_code == 8
