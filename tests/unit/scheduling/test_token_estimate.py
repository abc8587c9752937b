"""Token estimates: a guess at first, which improves with reports."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.parameters import max_tokens
from batch.records import Request, Usage
from batch.scheduling.token_estimate import COMPLETION, MEMORY, PER_MESSAGE, PER_PART, Estimator, tokens_of


def request(*contents: Any, **params: Any) -> Request:
    messages = tuple({"role": "user", "content": content} for content in contents)
    return Request("a", "f", "m", "m", messages, params)


@pytest.mark.parametrize(
    ("contents", "tokens"),
    [
        ((), 0),
        (("",), PER_MESSAGE),
        ((None,), PER_MESSAGE),
        (("a" * 300,), PER_MESSAGE + 100),
        (("ä" * 300,), PER_MESSAGE + 200),
        (("漢" * 300,), PER_MESSAGE + 300),
        (("\ud800",), PER_MESSAGE + 1),
        (("a" * 30, "b" * 60), 2 * PER_MESSAGE + 30),
        (([{"type": "text", "text": "a" * 300}],), PER_MESSAGE + 100),
        (([{"type": "image_url", "image_url": {"url": "data:" + "A" * 10**6}}],), PER_MESSAGE + PER_PART),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_prompt_is_estimated_from_its_bytes(contents: tuple[Any, ...], tokens: float) -> None:
    assert Estimator().estimate(request(*contents)).prompt == pytest.approx(tokens)


@pytest.mark.parametrize(
    ("params", "limit"),
    [
        ({}, None),
        ({"max_tokens": 100}, 100),
        ({"max_completion_tokens": 200}, 200),
        ({"max_tokens": 100, "max_completion_tokens": 200}, 200),
        ({"max_tokens": 100, "extra_body": {"max_tokens": 300}}, 300),
        ({"extra_body": "what"}, None),
        ({"max_tokens": None}, None),
        ({"max_tokens": "100"}, None),
        ({"max_tokens": True}, None),
        ({"max_tokens": 0}, None),
        ({"max_tokens": -1}, None),
    ],
    ids=str,
)
def test_the_longest_answer_is_what_the_parameters_say(params: dict[str, Any], limit: int | None) -> None:
    assert max_tokens(params) == limit
    assert Estimator().estimate(request("?", **params)).longest == limit


def test_the_expected_answer_is_the_longest_until_answers_have_arrived() -> None:
    estimator = Estimator()
    assert estimator.estimate(request("?")).completion == COMPLETION
    capped = estimator.estimate(request("?", max_tokens=4000))
    assert capped.completion == 4000
    estimator.learn(capped, Usage(5, 100, 105))
    estimator.learn(capped, Usage(5, 200, 205))
    assert 100 < estimator.estimate(request("?", max_tokens=4000)).completion < 200
    assert estimator.estimate(request("?", max_tokens=20)).completion == 20


@given(st.floats(0.05, 3), st.integers(1, 3000), st.lists(st.integers(1, 5000), min_size=100, max_size=100))
def test_an_estimator_learns_the_models_own_tokens(ratio: float, answer: int, sizes: list[int]) -> None:
    estimator = Estimator()
    for size in sizes:
        estimate = estimator.estimate(request("a" * size))
        estimator.learn(estimate, Usage(round(size * ratio) + PER_MESSAGE, answer, None))
    learnt = estimator.estimate(request("a" * 10_000))
    weights = [MEMORY**age for age in reversed(range(len(sizes)))]
    rounding = 0.5 * sum(weights) / sum(w * size for w, size in zip(weights, sizes, strict=True))
    assert learnt.prompt - PER_MESSAGE == pytest.approx(10_000 * ratio, abs=10_000 * rounding + 1e-6)
    assert learnt.completion == pytest.approx(answer)


def test_an_estimator_follows_a_change_within_a_hundred_answers() -> None:
    estimator = Estimator()
    for tokens in [100] * 200 + [400] * 100:
        estimator.learn(estimator.estimate(request("a" * 300)), Usage(tokens, tokens))
    assert estimator.estimate(request("a" * 300)).completion == pytest.approx(400, rel=0.01)
    assert estimator.estimate(request("a" * 300)).prompt == pytest.approx(400, rel=0.01)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (Usage(), (None, None)),
        (Usage(10, 5, None), (10, 5)),
        (Usage(10, 5, 15), (10, 5)),
        (Usage(10, 5, 115), (10, 105)),
        (Usage(10, 5, 3), (10, 5)),
        (Usage(10, None, 15), (10, 5)),
        (Usage(None, 5, 15), (10, 5)),
        (Usage(None, 5, None), (None, 5)),
        (Usage(None, None, 15), (None, None)),
    ],
    ids=str,
)
def test_tokens_of_a_total_beyond_prompt_and_answer_count_as_answer(
    usage: Usage, tokens: tuple[int | None, int | None]
) -> None:
    assert tokens_of(usage) == tokens
