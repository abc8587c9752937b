"""What an attempt asks and answers arrives in another process as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.executors.payloads import decode_call, decode_outcome, encode_call, encode_outcome
from batch.records import Failure, Rate, Reply, Request, Usage, Verdict

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=8,
)

OUTCOMES = [
    Reply(
        "fine", Verdict.COMPLETE, "stop", usage=Usage(3, 4, 7), rate=Rate(5, 1.5), first_byte=0.1, total=0.2
    ),
    Reply(
        "", Verdict.LENGTH, tool_calls=[{"id": "a", "n": 2**70}], logprobs=[-0.5, {"token": "x"}], cost=0.25
    ),
    Reply("a lone half: \ud83d", Verdict.UNVERIFIED, reasoning="hm", refusal="no", lost=2, redacted=True),
    Failure("http_503", "HTTP 503", http_status=503, retry_after=1.5, partial_text="hal", about_request=True),
    Failure("unknown_finish", "?", answer=Reply("fine", Verdict.COMPLETE), usage=Usage(1, None, None, 2)),
]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_an_outcome_arrives_as_it_was(outcome: Reply | Failure) -> None:
    assert decode_outcome(encode_outcome(outcome)) == outcome


@given(value=JSON)
def test_any_json_of_an_answer_arrives_as_it_was(value: Any) -> None:
    reply = Reply("text", Verdict.COMPLETE, logprobs=value)
    assert decode_outcome(encode_outcome(reply)) == reply


@given(content=JSON, params=st.dictionaries(st.text(), JSON, max_size=3), endpoint=st.integers(0, 300))
def test_a_call_arrives_with_what_an_endpoint_needs(
    content: Any, params: dict[str, Any], endpoint: int
) -> None:
    messages = ({"role": "user", "content": content},)
    request = Request("an-id", "f" * 32, "target", "model", messages, params, {"kept": "here"})
    number, arrived = decode_call(encode_call(endpoint, request))
    assert (number, arrived.model, arrived.messages, arrived.params) == (endpoint, "model", messages, params)
    assert (arrived.id, arrived.metadata) == ("", {})
