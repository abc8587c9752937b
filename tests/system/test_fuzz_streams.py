"""Damaged streams against the reference decoder; for a million of them see ``fuzz_streams``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batch.records import Failure, Outcome, Reply, Verdict
from tests.support.reference_stream import expected
from tests.support.stream_corpus import SHAPES, body
from tests.support.stream_mutations import Case, damaged
from tests.support.wire_support import DONE, delta, every_feeding, finish
from tests.system.fuzz_minimise import smallest
from tests.system.fuzz_streams import COUNT, Finding, decide, examine, judge, minimised, split_finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.support.stream_events import Shape
    from tests.support.stream_mutations import End


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_an_undamaged_answer_is_read_as_it_was_written_at_every_split(shape: Shape) -> None:
    outcome = decide([body(shape)], end="marked")
    assert {repr(decide(parts, end="marked")) for parts in every_feeding(body(shape))} == {repr(outcome)}
    if shape.verdict == "failed":
        assert isinstance(outcome, Failure)
        return
    assert isinstance(outcome, Reply)
    assert (outcome.verdict.value, outcome.text, outcome.refusal or "") == (
        shape.verdict,
        shape.text,
        shape.refusal,
    )
    assert isinstance(judge(Case(body(shape), end="marked")), str)
    assert len(outcome.tool_calls or ()) == len(shape.calls)


def test_no_damage_makes_an_answer_that_the_server_did_not_give() -> None:
    counts, findings = examine(range(COUNT))
    assert [str(minimised(finding)) for finding in findings[:3]] == []
    assert counts["complete by both"] > COUNT / 5
    assert counts["failed by both"] > COUNT / 5
    assert sum(number for what, number in counts.items() if what.startswith("strict")) < COUNT / 20


def test_a_seed_gives_the_same_case_again() -> None:
    assert [damaged(seed) for seed in range(50)] == [damaged(seed) for seed in range(50)]


# That the campaign finds what is wrong: decoders that are wrong on purpose


def reference(
    tamper: Callable[[bytes], bytes] = bytes, verdict: str | None = None
) -> Callable[[Iterable[bytes], End], Outcome]:
    """A correct decoder except for the effect of ``tamper`` on the body, and for its verdict."""

    def decide(parts: Iterable[bytes], end: End) -> Outcome:
        right = expected(tamper(b"".join(parts)), confirmed=end == "marked")
        if not right.verdicts:
            return Failure(code="failed", message=right.why)
        calls = [
            {"id": call.id, "function": {"name": call.name, "arguments": call.arguments}}
            for call in right.calls
        ]
        found = Verdict(verdict or min(right.verdicts))
        return Reply(right.text, found, tool_calls=calls or None, refusal=right.refusal or None)

    return decide


def test_a_correct_decoder_gives_no_findings() -> None:
    assert examine(range(300), reference())[1] == []


@pytest.mark.parametrize(
    ("tamper", "verdict"),
    [
        pytest.param(lambda body: body.replace(b'"error"', b'"errand"'), None, id="is deaf to errors"),
        pytest.param(lambda body: body.replace(b"event:", b"vent:"), None, id="drops event names"),
        pytest.param(lambda body: body.replace(b"network_error", b"stop"), None, id="trusts a network_error"),
        pytest.param(lambda body: body.replace(b"\r", b"\n"), None, id="takes CRLF for two line ends"),
        pytest.param(
            lambda body: body.replace(b"\xc3\xa9", b"e").replace(b"\\ud83d", b""),
            None,
            id="drops half characters",
        ),
        pytest.param(lambda body: body.replace(b'"index": 1', b'"index": 0'), None, id="mixes choices"),
        pytest.param(lambda body: body.replace(b": 42", b": null"), None, id="drops numbers"),
        pytest.param(lambda body: body + DONE, None, id="takes the end for [DONE]"),
        pytest.param(bytes, "complete", id="calls everything complete"),
    ],
)
def test_a_wrong_decoder_is_found(tamper: Callable[[bytes], bytes], verdict: str | None) -> None:
    wrong = reference(tamper, verdict)
    judged = (judge(damaged(seed), wrong) for seed in range(3000))
    assert any(isinstance(found, Finding) for found in judged)


def test_an_outcome_that_depends_on_the_split_is_found() -> None:
    def forgetful(parts: Iterable[bytes], end: End) -> Outcome:
        return reference()(list(parts)[-1:], end)

    assert split_finding(Case(delta("a") + finish(), end="marked"), 7, forgetful) is not None


def test_a_finding_is_made_small() -> None:
    deaf = reference(lambda body: body.replace(b'"error"', b'"errand"'))
    stream = delta("One") + b'data: {"error": {"code": 502}, "x": 1}\n\n' + b": ping\n\n" + finish() + DONE
    finding = judge(Case(stream, end="marked"), deaf)
    assert isinstance(finding, Finding)
    small = [
        b'data: {"choices":[{"delta":{"content":"O"}}]}',
        b'data: {"error":{"code":502}}',
        b'data: {"choices":[{"finish_reason":"stop"}]}',
    ]
    assert minimised(finding._replace(body=stream), deaf).body == b"\n\n".join(small)


def test_a_minimal_finding_is_not_changed() -> None:
    assert smallest(b"data: x\n\n", lambda body: body == b"data: x\n\n") == b"data: x\n\n"
