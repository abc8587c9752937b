"""What runs cost: by prices with and without a cache, by the provider's own word, and in which currency."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import batch
from batch.jobfile import load
from batch.records import Failure, Reply, Usage, Verdict
from batch.scheduling.budget import Budget
from batch.scheduling.pricing import Price, Tier
from batch.scheduling.quota import ProviderCosts, Quota, Rates
from batch.testing import (
    DONE,
    LAST_CHUNK,
    FaultServer,
    Script,
    Send,
    chunk,
    delta,
    event,
    finish,
    head,
    status,
)
from tests.support.cli_support import Cli, in_thread
from tests.support.jobfile_support import diagnostics_of, write
from tests.unit.scheduling.test_budget import task

if TYPE_CHECKING:
    from pathlib import Path

    from batch.records import Outcome
    from batch.run_summary import Summary

PRICE = {"input": 1000000, "output": 2000000}
"""A token of a prompt costs 1, one of an answer 2."""


def usage(**more: Any) -> dict[str, Any]:
    """It costs 14 by the price."""
    return {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, **more}


def told(report: Any) -> Script:
    body = delta("Fine.") + finish() + event({"choices": [], "usage": report}) + DONE
    return [Send(head() + chunk(body) + LAST_CHUNK)]


def settings(url: str, price: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    model = {"model": "m"} if price is None else {"model": "m", "price": price}
    prompts = [{"id": name, "prompt": "Name a river."} for name in "ab"]
    job = {"provider": "openai", "base_url": f"{url}/v1", "model": model, "prompts": prompts}
    return job | {"params": {"max_tokens": 10}, "concurrency": 1} | more


async def run(folder: Path, price: dict[str, Any] | None, *scripts: Script, **more: Any) -> Summary:
    async with FaultServer(*scripts) as server:
        (folder / "job.yaml").write_text(json.dumps(settings(server.url, price, **more)))
        return await batch.arun(folder / "job.yaml")


def lines(folder: Path) -> dict[str, dict[str, Any]]:
    found = map(json.loads, (folder / "output/job.jsonl").read_text().splitlines())
    return {line["id"]: line for line in found}


# Prices with a cache

CACHED = Price(10.0, 20.0, cached_input=1.0, cache_write=12.5)


@pytest.mark.parametrize(
    ("price", "tokens", "cost"),
    [
        (CACHED, (1_000_000, 0, 0, 0), 10.0),
        (CACHED, (1_000_000, 0, 500_000, 0), 5.5),
        (CACHED, (1_000_000, 0, 0, 500_000), 11.25),
        (CACHED, (1_000_000, 1_000_000, 400_000, 200_000), 4.0 + 0.4 + 2.5 + 20.0),
        (Price(10.0, 20.0), (1_000_000, 0, 500_000, 400_000), 10.0),
        (Price(10.0, 20.0, cached_input=0.0), (1_000_000, 0, 500_000, 0), 5.0),
        (CACHED, (1_000_000, 0, 1_000_000, 0), 10.0),
        (CACHED, (1_000_000, 0, 2_000_000, 0), 10.0),
        (CACHED, (1_000_000, 0, 500_000, 2_000_000), 0.5 + 6.25),
        (CACHED, (0, 0, 0, 0), 0.0),
        (Price(1.0, 2.0, (Tier(100, 2.0, 4.0, 0.5),), 0.25), (200, 0, 100, 0), 0.00025),
        (Price(1.0, 2.0, (Tier(100, 2.0, 4.0, 0.5),), 0.25), (100, 0, 40, 0), 0.00007),
    ],
)
def test_cached_and_written_tokens_have_prices_of_their_own(
    price: Price, tokens: tuple[int, int, int, int], cost: float
) -> None:
    assert price.cost(*tokens) == pytest.approx(cost)


def test_what_is_set_aside_is_the_most_that_a_cache_can_make_of_it() -> None:
    assert CACHED.most(1_000_000, 1_000_000) == pytest.approx(32.5)
    assert Price(10.0, 20.0, cached_input=1.0).most(1_000_000, 0) == pytest.approx(10.0)


@pytest.mark.anyio
async def test_a_run_adds_up_what_was_cached_and_prices_it(tmp_path: Path) -> None:
    report = usage(prompt_tokens_details={"cached_tokens": 6, "cache_write_tokens": 2})
    report |= {"completion_tokens_details": {"reasoning_tokens": 1}}
    price = PRICE | {"cached_input": 100000, "cache_write": 1500000}
    summary = await run(tmp_path, price, told(report))
    assert lines(tmp_path)["a"]["cost"] == 2 + 0.6 + 3 + 4
    assert "cost_source" not in lines(tmp_path)["a"]
    assert (summary.cost, summary.provider_cost) == (19.2, None)
    assert (summary.cached_tokens, summary.cache_write_tokens, summary.reasoning_tokens) == (12, 4, 2)


# The provider's own word

SAID = [
    pytest.param(0.25, 0.25, "provider", id="its cost goes before the price"),
    pytest.param(100, 100, "provider", id="also one above it"),
    pytest.param(0, 14, None, id="0 beside a price is no statement"),
    pytest.param(0.0139, 14, None, id="nor is less than a thousandth of the price"),
    pytest.param(0.0141, 0.0141, "provider", id="but anything above that is"),
    pytest.param(-1, 14, None, id="negative"),
    pytest.param("0.25", 14, None, id="a text"),
    pytest.param(True, 14, None, id="a boolean"),
    pytest.param(float("nan"), 14, None, id="NaN"),
    pytest.param(float("inf"), 14, None, id="infinite"),
    pytest.param(10**18, 14, None, id="huge"),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("said", "cost", "source"), SAID)
async def test_the_providers_cost_goes_before_the_price_where_it_can_be_true(
    tmp_path: Path, said: Any, cost: float, source: str | None
) -> None:
    summary = await run(tmp_path, PRICE, told(usage(cost=said)))
    for line in lines(tmp_path).values():
        assert (line["cost"], line.get("cost_source")) == (cost, source)
    assert summary.cost == 2 * cost
    assert summary.provider_cost == (None if source is None else 2 * cost)
    assert summary.unmetered == 0


@pytest.mark.anyio
@pytest.mark.parametrize(("said", "cost"), [(0.25, 0.5), (0, 0)])
async def test_without_a_price_the_providers_cost_is_the_cost_and_may_be_nothing(
    tmp_path: Path, said: float, cost: float
) -> None:
    summary = await run(tmp_path, None, told(usage(cost=said)))
    assert lines(tmp_path)["a"]["cost"] == said
    assert lines(tmp_path)["a"]["cost_source"] == "provider"
    assert (summary.cost, summary.provider_cost, summary.currency) == (cost, cost, "USD")


@pytest.mark.anyio
async def test_nothing_is_the_cost_of_a_model_whose_price_is_nothing(tmp_path: Path) -> None:
    await run(tmp_path, {"input": 0, "output": 0}, told(usage(cost=0)))
    assert lines(tmp_path)["a"]["cost_source"] == "provider"


@pytest.mark.anyio
async def test_what_some_attempts_cost_by_the_provider_and_others_by_the_price_is_mixed(
    tmp_path: Path,
) -> None:
    cut = delta("Half") + event({"choices": [], "usage": usage()})
    scripts = [[Send(head() + chunk(cut) + LAST_CHUNK)], told(usage(cost=0.25))]
    summary = await run(tmp_path, PRICE, *scripts, retries={"base": 0.01})
    first, second = lines(tmp_path)["a"], lines(tmp_path)["b"]
    assert (first["cost"], first["cost_source"]) == (14.25, "mixed")
    assert (second["cost"], second["cost_source"]) == (0.25, "provider")
    assert (summary.cost, summary.provider_cost) == (14.5, 0.5)


@pytest.mark.anyio
async def test_without_a_price_an_attempt_of_unknown_cost_makes_its_result_unknown(tmp_path: Path) -> None:
    cut = delta("Half") + event({"choices": [], "usage": usage()})
    scripts = [[Send(head() + chunk(cut) + LAST_CHUNK)], told(usage(cost=0.25))]
    summary = await run(tmp_path, None, *scripts, retries={"base": 0.01})
    assert (lines(tmp_path)["a"]["cost"], lines(tmp_path)["b"]["cost"]) == (None, 0.25)
    assert (summary.cost, summary.unmetered) == (0.5, 1)


@pytest.mark.anyio
async def test_without_a_price_and_a_word_of_the_provider_the_cost_is_unknown(tmp_path: Path) -> None:
    scripts = [status(503), told(usage())]
    summary = await run(tmp_path, None, *scripts, retries={"base": 0.01})
    assert [line["cost"] for line in lines(tmp_path).values()] == [None, None]
    assert (summary.cost, summary.provider_cost, summary.unmetered) == (None, None, 0)


def reply(cost: float | None) -> Reply:
    return Reply("fine", Verdict.COMPLETE, "stop", usage=Usage(10, 2, 12), cost=cost)


def test_a_limit_of_cost_holds_after_the_fact_where_only_the_provider_knows_the_price() -> None:
    budget = Budget(cost=1.0)
    meter = Quota(budget, Rates())
    for number in range(3):
        one = task(number)
        assert meter.ready_at(one, 0) == 0
        meter.reserve(one, 0)
        meter.settled(one, reply(0.4), 1)
    assert meter.ready_at(task(3), 1) > 1
    assert budget.reached == "limits.cost: 1.2 of 1 spent"


def test_a_costly_failure_counts_by_the_providers_word() -> None:
    budget = Budget()
    admission = ProviderCosts(budget)
    outcomes: list[Outcome] = [
        Failure("truncated", "cut", cost=0.4),
        Failure("http_429", "no", http_status=429),
    ]
    one = task()
    for outcome in outcomes:
        admission.reserve(one, 0)
        admission.settled(one, outcome, 1)
    assert (one.cost, budget.cost.known, budget.unreported) == (0.4, 0.4, 0)


# Currencies


def test_two_currencies_in_a_job_are_an_error_at_the_second(tmp_path: Path) -> None:
    text = (
        "provider: openai\nbase_url: http://h/v1\nprompt: x\nmodels:\n"
        "  - {model: a, price: {input: 1, output: 1, currency: EUR}}\n"
        "  - {model: b, price: {input: 1, output: 1, currency: USD}}\n"
    )
    (diagnostic,) = diagnostics_of(lambda: load(write(tmp_path, text)))
    assert diagnostic == (
        "6:55: models[1].price.currency: USD beside prices in EUR; "
        "costs are added up: give all prices in one currency"
    )


def test_a_model_priced_in_another_currency_than_the_job_is_an_error(tmp_path: Path) -> None:
    text = (
        "provider: openai\nbase_url: http://h/v1\nprompt: x\n"
        "price: {input: 1, output: 1, currency: EUR}\n"
        "model: {model: b, price: {input: 1, output: 1}}\n"
    )
    (diagnostic,) = diagnostics_of(lambda: load(write(tmp_path, text)))
    assert diagnostic.startswith("5:26: model.price.currency: USD beside prices in EUR; ")


@pytest.mark.parametrize("code", ["eur", "Euro", "€", "EURO", '""'])
def test_a_currency_is_three_capital_letters(tmp_path: Path, code: str) -> None:
    text = (
        "provider: openai\nbase_url: http://h/v1\nprompt: x\n"
        f"model: {{model: a, price: {{input: 1, output: 1, currency: {code}}}}}\n"
    )
    (diagnostic,) = diagnostics_of(lambda: load(write(tmp_path, text)))
    assert diagnostic.endswith(
        "price.currency: not a currency; write its three-letter code, such as `USD` or `EUR`"
    )


@pytest.mark.anyio
async def test_a_providers_dollars_say_nothing_in_a_job_of_another_currency(tmp_path: Path) -> None:
    summary = await run(tmp_path, PRICE | {"currency": "EUR"}, told(usage(cost=0.25)))
    assert (summary.cost, summary.provider_cost, summary.currency) == (28, None, "EUR")
    assert "cost_source" not in lines(tmp_path)["a"]


def test_a_table_in_dollars_is_no_price_in_another_currency(tmp_path: Path) -> None:
    text = (
        "provider: openai\nbase_url: https://api.openai.com/v1\nprompt: x\nparams: {max_tokens: 5}\n"
        "models: [{model: a, price: {input: 1, output: 1, currency: EUR}}, gpt-4o-mini]\nlimits: {cost: 1}\n"
    )
    (diagnostic,) = diagnostics_of(lambda: load(write(tmp_path, text), has_price=lambda _: True))
    assert "needs the price of `gpt-4o-mini`, which is not known" in diagnostic


# What people see


def test_run_status_show_and_export_print_tokens_currency_and_the_source_of_the_cost(
    tmp_path: Path, cli: Cli
) -> None:
    report = usage(cost=0.25, prompt_tokens_details={"cached_tokens": 6, "cache_write_tokens": 2})
    with in_thread(FaultServer(told(report))) as server:
        (tmp_path / "job.yaml").write_text(json.dumps(settings(server.url, PRICE)))
        ran = cli("run", "job.yaml")
    assert ", cost USD 0.5 (stated by the provider); output/job.jsonl\n" in ran.stderr
    found = cli("status", "job.yaml")
    assert "tokens     20 in (12 cached, 4 written to a cache), 4 out\n" in found.stdout + found.stderr
    assert "cost       USD 0.5; stated by the provider for 2 results\n" in found.stdout + found.stderr
    shown = cli("show", "job.yaml", "a")
    words = "tokens     10 in, 2 out, 6 cached, 2 written to a cache; cost USD 0.25, stated by the provider\n"
    assert words in shown.stdout + shown.stderr
    columns = "cost,currency,cached_tokens,cache_write_tokens,reasoning_tokens,cost_source"
    exported = cli("export", "job.yaml", "--format", "csv", "--columns", columns)
    assert exported.stdout.splitlines() == [columns, *["0.25,USD,6,2,,provider"] * 2]
    summary = json.loads((tmp_path / "output/job.jsonl.summary.json").read_text())
    keys = ("currency", "provider_cost", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
    assert [summary[key] for key in keys] == ["USD", 0.5, 12, 4, 0]


def test_another_currency_stands_before_the_cost(tmp_path: Path, cli: Cli) -> None:
    with in_thread(FaultServer(told(usage()))) as server:
        (tmp_path / "job.yaml").write_text(json.dumps(settings(server.url, PRICE | {"currency": "EUR"})))
        planned = cli("run", "job.yaml", "--dry-run")
        ran = cli("run", "job.yaml")
        found = cli("status", "job.yaml")
    assert "at most EUR " in planned.stdout + planned.stderr
    assert ", cost EUR 28; output/job.jsonl\n" in ran.stderr
    assert "cost       EUR 28\n" in found.stdout + found.stderr
