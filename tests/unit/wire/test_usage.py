"""Usage reports in the shapes of real servers: cached, written and reasoning tokens, and costs."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from batch.records import Usage
from tests.support.wire_support import DONE, HELLO, delta, event, failure, finish, reply, whole

MAIN = {"prompt_tokens": 90, "completion_tokens": 20, "total_tokens": 110}
PLAIN = Usage(90, 20, 110)
ODD = ["64", 64.5, -1, True, float("nan"), float("inf"), 10**18, None, [], {}, "NaN"]


def in_every_place(usage: Any) -> list[bytes]:
    """Bodies with the report before, with and after the finish reason, in a choice and in a whole reply."""
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    return [
        event({"choices": [], "usage": usage}) + HELLO + finish() + DONE,
        event({"usage": usage, "choices": [{"index": 0, "delta": {"content": "Hello"}}]}) + finish() + DONE,
        HELLO + event({"choices": [last], "usage": usage}) + DONE,
        HELLO + event({"choices": [last | {"usage": usage}]}) + DONE,
        HELLO + event({"choices": [last], "x_groq": {"usage": usage}}) + DONE,
        HELLO + finish() + event({"choices": [], "usage": usage}) + DONE,
        HELLO + finish() + event({"usage": usage}) + DONE,
        delta("Hello") * 1 + delta("") * 30 + finish() + event({"choices": [], "usage": usage}) + DONE,
        whole({"content": "Hello"}, usage=usage),
    ]


SHAPES = [
    pytest.param({}, PLAIN, id="three counts"),
    pytest.param(
        {
            "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 12, "accepted_prediction_tokens": 0},
        },
        Usage(90, 20, 110, cached_tokens=64, reasoning_tokens=12),
        id="OpenAI, vLLM",
    ),
    pytest.param(
        {
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 50},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
        Usage(90, 20, 110, cached_tokens=0, cache_write_tokens=50, reasoning_tokens=0),
        id="OpenRouter",
    ),
    pytest.param(
        {"prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 26},
        Usage(90, 20, 110, cached_tokens=64),
        id="DeepSeek",
    ),
    pytest.param({"cached_tokens": 64}, Usage(90, 20, 110, cached_tokens=64), id="Moonshot"),
    pytest.param({"reasoning_tokens": 12}, Usage(90, 20, 110, reasoning_tokens=12), id="Perplexity"),
    pytest.param(
        {"cache_read_input_tokens": 60, "cache_creation_input_tokens": 20},
        Usage(90, 20, 110, cached_tokens=60, cache_write_tokens=20),
        id="Anthropic's counts inside the prompt (LiteLLM)",
    ),
    pytest.param(
        {"cache_read_input_tokens": 600, "cache_creation_input_tokens": 200},
        Usage(890, 20, 110, cached_tokens=600, cache_write_tokens=200),
        id="Anthropic's counts beside the prompt",
    ),
    pytest.param(
        {"prompt_tokens_details": None, "completion_tokens_details": None, "cost": None}, PLAIN, id="nulls"
    ),
    pytest.param({"prompt_tokens_details": [1], "completion_tokens_details": "x"}, PLAIN, id="no objects"),
    pytest.param(
        {"prompt_tokens_details": {"cached_tokens": 500}},
        Usage(90, 20, 110, cached_tokens=90),
        id="more cached than there is",
    ),
    pytest.param(
        {"prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 64}},
        Usage(90, 20, 110, cached_tokens=64, cache_write_tokens=26),
        id="more cached and written than there is",
    ),
]


@pytest.mark.parametrize(("more", "usage"), SHAPES)
def test_cached_written_and_reasoning_tokens_are_read_from_every_place(
    more: dict[str, Any], usage: Usage
) -> None:
    for body in in_every_place(MAIN | more):
        assert reply(body).usage == usage


def test_anthropics_input_tokens_exclude_cached_tokens() -> None:
    said = {"input_tokens": 10, "output_tokens": 20, "cache_read_input_tokens": 64}
    assert reply(HELLO + event({"usage": said}) + finish()).usage == Usage(74, 20, None, cached_tokens=64)


def test_the_responses_apis_input_tokens_include_cached_tokens() -> None:
    said = {
        "input_tokens": 90,
        "input_tokens_details": {"cached_tokens": 64},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 12},
        "total_tokens": 110,
    }
    expected = Usage(90, 20, 110, cached_tokens=64, reasoning_tokens=12)
    assert reply(HELLO + event({"usage": said}) + finish()).usage == expected


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("key", ["cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens"])
def test_an_invalid_detail_count_is_ignored(key: str, odd: Any) -> None:
    said = MAIN | {key: odd, "prompt_tokens_details": {"cached_tokens": odd, "cache_write_tokens": odd}}
    assert reply(HELLO + event({"usage": said}) + finish()).usage == PLAIN


@pytest.mark.parametrize("odd", [2**24 + 1, 10**18, 12.5])
def test_a_count_that_no_model_can_reach_is_none(odd: Any) -> None:
    body = HELLO + event({"usage": MAIN | {"completion_tokens": odd}}) + finish()
    assert reply(body).usage == Usage(90, None, 110)


def test_a_whole_number_with_a_point_is_one() -> None:
    assert reply(HELLO + event({"usage": MAIN | {"prompt_tokens": 90.0}}) + finish()).usage == PLAIN


def test_of_several_reports_the_largest_of_each_number_counts() -> None:
    first = MAIN | {"prompt_tokens_details": {"cached_tokens": 64}, "cost": 0.5}
    second = MAIN | {"completion_tokens_details": {"reasoning_tokens": 12}, "cost": 0.25}
    told = reply(HELLO + event({"usage": first}) + event({"usage": second}) + finish())
    assert told.usage == Usage(90, 20, 110, cached_tokens=64, reasoning_tokens=12)
    assert told.cost == 0.5


def test_an_error_inside_the_usage_counts_with_and_without_output() -> None:
    usage = {"error": {"message": "out of memory", "code": "oom"}, "prompt_tokens": 3}
    for choice in ({"index": 0, "delta": {"content": "Hel"}}, {"index": 0, "delta": {}}):
        assert failure(event({"choices": [choice], "usage": usage}) + HELLO + finish()).server_code == "oom"


def test_usage_with_an_error_is_kept() -> None:
    body = HELLO + event({"error": {"message": "no", "code": 500}, "usage": MAIN | {"cost": 0.25}})
    outcome = failure(body)
    assert (outcome.usage, outcome.cost) == (PLAIN, 0.25)


# Costs

NO_MONEY = [odd for odd in ODD if odd != 64.5]

COSTS = [
    pytest.param({"cost": 0.00014}, 0.00014, id="OpenRouter"),
    pytest.param({"cost": 1}, 1.0, id="a whole number"),
    pytest.param({"cost": 0}, 0.0, id="nothing"),
    pytest.param(
        {"cost": 0.95, "cost_details": {"upstream_inference_cost": 19}}, 19.95, id="a key of one's own"
    ),
    pytest.param(
        {"cost": 0.5, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.5}}, 0.5, id="not so"
    ),
    pytest.param({"cost": 0.5, "cost_details": {"upstream_inference_cost": None}}, 0.5, id="no further cost"),
    pytest.param({"cost": 0.5, "cost_details": {"upstream_inference_cost": -1}}, 0.5, id="a negative one"),
    pytest.param(
        {"cost": {"input_tokens_cost": 0.001, "request_cost": 0.005, "total_cost": 0.006}},
        0.006,
        id="Perplexity",
    ),
    pytest.param({"total_cost": 0.25}, 0.25, id="total_cost"),
    pytest.param({"estimated_cost": 0.25}, 0.25, id="DeepInfra"),
    pytest.param({"cost_in_usd_ticks": 318319000}, 0.0318319, id="xAI"),
    *(
        pytest.param({"cost": odd}, None, id=f"not believed: {odd!r}")
        for odd in [*NO_MONEY, -0.5, 1e7, [0.5]]
    ),
    pytest.param({"cost": {"total_cost": "0.5"}}, None, id="a text inside"),
    pytest.param({"cost": -1, "total_cost": 0.5}, 0.5, id="another name beside one that is not believed"),
]


@pytest.mark.parametrize(("more", "cost"), COSTS)
def test_the_providers_cost_is_read_from_every_place(more: dict[str, Any], cost: float | None) -> None:
    for body in in_every_place(MAIN | more):
        found = reply(body)
        assert found.cost == (None if cost is None else pytest.approx(cost))
        assert found.usage == PLAIN


def test_what_is_not_reported_is_unset() -> None:
    usage = reply(HELLO + event({"usage": MAIN}) + finish()).usage
    assert usage is not None
    assert (usage.cached_tokens, usage.cache_write_tokens, usage.reasoning_tokens) == (UNSET, UNSET, UNSET)
