"""Limits, prices and rates in job files and on the command line, with the real command."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from batch.app.setup.load_job import load_job
from batch.app.setup.price_tables import price_of
from batch.jobfile import load
from batch.jobfile.job import Failures, Limits, Model, RateLimits, TokenPrice
from batch.scheduling.pricing import Price
from tests.support.chat_server import ChatServer
from tests.support.cli_support import Cli, served
from tests.support.jobfile_support import HEAD, diagnostics_of, job, write

EXAMPLE = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NEEDS = (
    "needs `max_tokens`: without it the maximum of an answer is unknown; write `params: {max_tokens: 1000}`"
)
NO_PRICE = (
    "needs the price of `m`, which is not known; "
    "write `price: {input: 0.15, output: 0.6}`, per million tokens"
)
NO_LIMIT_OF_FAILURES = "neither a number of failures nor a share of results; write `20` or `10%`"

# What a job file may say


def test_limits_rates_and_prices_are_read(tmp_path: Path) -> None:
    text = """
        provider: openai
        base_url: http://h/v1
        models:
          - a
          - {model: b, price: {input: 0.15, output: 0.6}, rate_limits: {rpm: 10}}
        prompt: x
        params: {max_tokens: 10}
        rate_limits: {rpm: 60, tpm: 90000}
        limits: {tokens: 1000000, time: 2h, failures: 10%}
        """
    result = job(tmp_path, text)
    assert [model.rate_limits for model in result.models] == [RateLimits(60, 90000), RateLimits(10, 90000)]
    assert [model.price for model in result.models] == [None, TokenPrice(0.15, 0.6)]
    assert result.limits == Limits(None, 1000000, 7200, Failures(share=0.1))
    assert job(tmp_path, text, {"limits.failures": 5}).limits.failures == Failures(number=5)


def test_a_price_at_the_top_is_that_of_each_model_without_one(tmp_path: Path) -> None:
    text = """
        provider: openai
        base_url: http://h/v1
        price: {input: 1, output: 2, cached_input: 0.5}
        models: [a, {model: b, price: {input: 3, output: 4}}]
        prompt: x
        params: {max_tokens: 10}
        limits: {cost: 5}
        """
    assert [model.price for model in job(tmp_path, text).models] == [TokenPrice(1, 2, 0.5), TokenPrice(3, 4)]


def test_the_documents_example_is_a_job(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "limits.md").read_text(encoding="utf-8")
    (text,) = EXAMPLE.findall(page)
    result = job(tmp_path, text)
    assert result.limits == Limits(5, 1_000_000, 7200, Failures(share=0.1))
    assert result.models[0].rate_limits == RateLimits(60, 90_000)


ONE_ERROR = [
    (
        "limits:\n  tokens: 1000\n",
        f"5:3: limits.tokens: {NEEDS}",
    ),
    (
        "limits: {cost: 1.5}\nparams: {max_tokens: 10}\n",
        f"4:10: limits.cost: {NO_PRICE}",
    ),
    *(
        (f"limits: {{failures: {written}}}\n", f"4:20: limits.failures: {NO_LIMIT_OF_FAILURES}")
        for written in ("0", "-1", "0.1", "true", "some", "0%", "101%", "-5%", "1e1%", "[1]")
    ),
    ("limits: {cost: 0}\nparams: {max_tokens: 1}\n", "4:16: limits.cost: must be more than 0"),
    ("limits: {tokens: 0.5}\n", "4:18: limits.tokens: expected a whole number, got a number"),
    ("limits: {time: soon}\n", "4:16: limits.time: not a duration; write `90s`, `500ms`, `5m` or `2h`"),
    ("limits: {money: 1}\n", "4:10: limits.money: unknown key; known here: cost, failures, time, tokens"),
    ("rate_limits: {rpm: 0}\n", "4:20: rate_limits.rpm: must be more than 0"),
    ("rate_limits: {rps: 1}\n", "4:15: rate_limits.rps: unknown key; did you mean `rpm`?"),
    ("price: {input: 1}\n", "4:8: price.output: is missing"),
]


@pytest.mark.parametrize(("more", "diagnostic"), ONE_ERROR)
def test_a_limit_that_makes_no_sense_or_cannot_be_kept_is_an_error(
    tmp_path: Path, more: str, diagnostic: str
) -> None:
    path = write(tmp_path, HEAD + more + "prompt: x\n")
    assert diagnostics_of(lambda: load(path)) == [diagnostic]


def test_a_bound_is_asked_for_where_one_is_missing_and_nowhere_else(tmp_path: Path) -> None:
    text = """
        provider: openai
        base_url: http://h/v1
        models: [{model: a, params: {max_tokens: 5}}, b]
        prompts: [{id: one, prompt: x, params: {max_completion_tokens: 9}}, {id: two, prompt: y}]
        limits: {tokens: 100}
        """
    path = write(tmp_path, text)
    (diagnostic,) = diagnostics_of(lambda: load(path))
    assert "limits.tokens: needs `max_tokens` for `b`" in diagnostic


def test_rows_bring_their_own_bounds_or_are_named(tmp_path: Path) -> None:
    settings = write(
        tmp_path, HEAD.replace("model: m", "models: [m, {model: n, params: {max_tokens: 5}}]"), "with.yaml"
    )
    rows = [
        {"prompt": "a", "model": "n"},
        {"prompt": "b", "model": "m", "params": {"max_tokens": 5}},
        {"prompt": "c", "model": "m", "params": {"temperature": 0}},
        {"prompt": "d", "model": "m"},
        {"custom_id": "e", "body": {"model": "n", "messages": [{"role": "user", "content": "e"}]}},
    ]
    path = write(tmp_path, "\n".join(map(json.dumps, rows)), "rows.jsonl")
    assert len(load(path, settings=settings).models) == 2
    assert diagnostics_of(lambda: load(path, settings=settings, overrides={"limits.tokens": 100})) == [
        f"rows.jsonl:3:1: params: `limits.tokens` {NEEDS}, in the row or in the settings"
    ]


# Prices

GPT_4O_MINI = Price(0.15, 0.6, cached_input=0.075)


@pytest.mark.parametrize(
    ("model", "price"),
    [
        (Model("m", "openai", "m", "http://h/v1", price=TokenPrice(1, 2)), Price(1, 2)),
        (Model("m", "autonomous", "llama", price=TokenPrice(0, 0)), Price(0, 0)),
        (
            Model("m", "openai", "m", "http://h/v1", price=TokenPrice(3, 15, 0.3, 3.75)),
            Price(3, 15, cached_input=0.3, cache_write=3.75),
        ),
        (Model("m", "openai", "gpt-4o-mini", "https://api.openai.com/v1"), GPT_4O_MINI),
        (
            Model("m", "openai", "claude-sonnet-4-0", "https://api.anthropic.com/v1"),
            Price(3, 15, cached_input=0.3, cache_write=3.75),
        ),
        (Model("m", "openai", "gpt-4o-mini", "http://127.0.0.1:8000/v1"), None),
        (Model("m", "openai", "gpt-4o-mini", "https://elsewhere.example/v1"), None),
        (Model("m", "openai", "gpt-4o-mini", "${SOMEWHERE}"), None),
        (Model("m", "openai", "no-such-model", "https://api.openai.com/v1"), None),
        (Model("m", "openai", "sonar", "https://api.perplexity.ai"), None),
        (Model("m", "openai", "gpt-4o-mini", "local", engine="llama"), None),
        (Model("m", "autonomous", "llama"), None),
        (Model("m", "openai", "gpt-4o-mini", base_urls=("https://api.openai.com/v1",) * 2), GPT_4O_MINI),
        (Model("m", "openai", "gpt-4o-mini", base_urls=("https://api.openai.com/v1", "https://h/v1")), None),
    ],
    ids=lambda value: (
        f"{value.base_urls or value.base_url}-{value.model}" if isinstance(value, Model) else None
    ),
)
def test_a_price_is_the_job_files_or_that_of_the_address_or_unknown(
    model: Model, price: Price | None
) -> None:
    assert price_of(model) == price


def test_a_price_that_depends_on_the_prompts_length_is_kept_as_such() -> None:
    base_url = "https://generativelanguage.googleapis.com/v1beta/openai"
    price = price_of(Model("m", "openai", "gemini-2.5-pro", base_url))
    assert price is not None
    assert price.tiers
    start = price.tiers[0].above
    assert price.cost(start + 1, 0) > 1.5 * price.cost(start, 0)
    assert price.cost(start + 1, 0, start) < 0.3 * price.cost(start + 1, 0), "so have cached tokens"


def test_with_the_extra_a_limit_of_cost_needs_no_price_in_the_job_file() -> None:
    mapping = {
        "provider": "openai",
        "base_url": "https://api.openai.com/v1",
        "model": "gpt-4o-mini",
        "prompt": "x",
        "params": {"max_tokens": 10},
        "limits": {"cost": 1},
    }
    assert load_job(mapping).limits.cost == 1


# The command


def write_job(folder: Path, server: ChatServer, more: str = "") -> None:
    """Ten rows; an answer takes five tokens: three of the prompt, two of its own."""
    rows = [json.dumps({"id": f"row-{number}", "word": f"word {number}"}) for number in range(10)]
    (folder / "rows.jsonl").write_text("\n".join(rows) + "\n")
    (folder / "job.yaml").write_text(
        f"provider: openai\nbase_url: {server.url}/v1\n"
        "model: {model: m, price: {input: 1000000, output: 2000000}}\n"
        f"prompt: '{{{{ word }}}}'\ninputs: {{jsonl: rows.jsonl}}\nparams: {{max_tokens: 10}}\n{more}"
    )


def results(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "output/job.jsonl").read_text().splitlines()]


def test_a_run_says_what_it_cost(tmp_path: Path, cli: Cli) -> None:
    with served(ChatServer()) as server:
        write_job(tmp_path, server)
        ended = cli("run", "job.yaml", "--json")
    assert ended.code == 0
    assert (ended.summary["cost"], ended.summary["unmetered"]) == (70, 0)
    assert [result["cost"] for result in results(tmp_path)] == [7] * 10
    assert ", cost USD 70; output/job.jsonl\n" in ended.stderr


def test_max_cost_is_not_overrun_and_ends_with_8_and_a_reason(tmp_path: Path, cli: Cli) -> None:
    with served(ChatServer()) as server:
        write_job(tmp_path, server)
        first = cli("run", "job.yaml", "--json", "--max-cost", "50")
        again = cli("run", "job.yaml", "--json", "--max-cost", "50")
    assert first.code == 8
    assert first.summary["succeeded"] == len(results(tmp_path)) - again.summary["sent"] == 4
    assert first.summary["cost"] == 28
    assert first.summary["reasons"] == ["limits.cost: 28 of 50 spent, and the next request may take 24"]
    assert "limits.cost: 28 of 50 spent, and the next request may take 24\n" in first.stderr
    assert again.summary["succeeded"] == 8, "each run has the whole limit for itself"
    assert len(server.seen) == 8


def test_a_limit_of_failures_ends_with_8(tmp_path: Path, cli: Cli) -> None:
    server = ChatServer()

    async def refuse_all_but_the_first() -> None:
        if len(server.seen) > 1:
            raise web.HTTPUnprocessableEntity

    server.before_answer = refuse_all_but_the_first
    with served(server):
        write_job(tmp_path, server, "limits: {failures: 3}\nconcurrency: 1\n")
        ended = cli("run", "job.yaml", "--json")
    assert ended.code == 8
    assert (ended.summary["failed"], ended.summary["pending"], len(server.seen)) == (3, 6, 4)
    assert ended.summary["reasons"] == ["limits.failures: 3 of 4 results have failed"]


def test_a_limit_of_time_in_the_job_file_ends_with_8(tmp_path: Path, cli: Cli) -> None:
    with served(ChatServer()) as server:
        write_job(tmp_path, server, "limits: {time: 2s}\nrate_limits: {rpm: 1}\n")
        ended = cli("run", "job.yaml", "--json", "-v")
    assert ended.code == 8
    assert "1/10 done, failed 0, in flight 0 of 8 (held back by limits), retries 0" in ended.stderr
    assert (ended.summary["succeeded"], ended.summary["pending"]) == (1, 9)
    assert ended.summary["reasons"] == ["limits.time: 2 s is used up"]


def test_a_limit_of_tokens_without_max_tokens_is_an_error_and_nothing_is_sent(
    tmp_path: Path, cli: Cli
) -> None:
    with served(ChatServer()) as server:
        write_job(tmp_path, server, "limits: {tokens: 100}\n")
        text = (tmp_path / "job.yaml").read_text().replace("params: {max_tokens: 10}\n", "")
        (tmp_path / "job.yaml").write_text(text)
        ended = cli("run", "job.yaml")
    assert ended.code == 2
    assert ended.stderr == (
        "job.yaml:6:10: limits.tokens: needs `max_tokens`: without it the maximum of an answer is unknown; "
        "write `params: {max_tokens: 1000}`\n1 error; nothing was sent\n"
    )
    assert server.seen == []


@pytest.mark.parametrize(
    ("cost", "stderr"),
    [
        ("0", "--max-cost: limits.cost: must be more than 0\n1 error; nothing was sent\n"),
        (
            "5",
            f"--max-cost: limits.cost: {NO_PRICE}\n1 error; nothing was sent\n",
        ),
    ],
)
def test_a_max_cost_that_cannot_be_kept_is_2(tmp_path: Path, cli: Cli, cost: str, stderr: str) -> None:
    with served(ChatServer()) as server:
        write_job(tmp_path, server)
        ended = cli("run", "job.yaml", "--max-cost", cost, "--model", "m")
    assert (ended.code, ended.stderr, server.seen) == (2, stderr, [])


def test_without_a_price_the_cost_is_unknown_and_not_nothing(tmp_path: Path, cli: Cli) -> None:
    with served(ChatServer()) as server:
        write_job(tmp_path, server)
        ended = cli("run", "job.yaml", "--json", "--model", "m")
    assert (ended.code, ended.summary["cost"]) == (0, None)
    assert {result["cost"] for result in results(tmp_path)} == {None}
    assert "cost" not in ended.stderr
