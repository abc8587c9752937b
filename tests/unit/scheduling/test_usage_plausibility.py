"""Implausibly small token counts: correct counts are never rejected."""

from __future__ import annotations

import time

import pytest

from batch.records import Failure, Outcome, Reply, Request, Usage, Verdict
from batch.scheduling.usage_plausibility import believed, is_too_small

ENGLISH = "The river rose in the night and took the old bridge with it. " * 20
GERMAN = "Donaudampfschifffahrtsgesellschaftskapitän Rechtsschutzversicherungsgesellschaften " * 20
CHINESE = "河水在夜里上涨，冲走了那座旧桥。" * 40
THAI = "แม่น้ำเอ่อล้นในยามค่ำคืนและพัดพาสะพานเก่าไป" * 20
CODE = "        if value is None:\n            return []\n" * 40
TABLE = ("| " + " " * 60 + "1 |\n") * 40
RULES = "=" * 80 + "\n" + "-" * 80 + "\n" + "=-" * 200 + "* * * " * 100
BASE64 = "TWFuIGlzIGRpc3Rpbmd1aXNoZWQsIG5vdCBvbmx5IGJ5IGhpcyByZWFzb24sIGJ1dCAuLi4" * 20


@pytest.mark.parametrize(
    ("text", "honest"),
    [
        (ENGLISH, 260),
        (ENGLISH, 180),  # a vocabulary with tokens of several words
        (GERMAN, 400),
        (CHINESE, 400),
        (THAI, 400),
        (CODE, 480),
        (TABLE, 200),
        (RULES, 15),
        (" " * 5000, 40),
        ("\n" * 5000, 40),
        ("a" * 5000, 600),
        (BASE64, 700),
        ("Yes.", 1),
        (" internationalization", 1),
        ("", 0),
    ],
)
def test_real_token_counts_are_plausible(text: str, honest: int) -> None:
    assert not is_too_small(honest, [text])


@pytest.mark.parametrize("tokens", [0, 1, 2, 10, 30])
@pytest.mark.parametrize("text", [ENGLISH, GERMAN, CHINESE, THAI, BASE64, "no no no " * 200], ids=len)
def test_a_page_cannot_have_a_few_tokens(text: str, tokens: int) -> None:
    assert is_too_small(tokens, [text])
    assert is_too_small(tokens, [text[:100], text[100:]])


REQUEST = Request("a", "f", "m", "m", ({"role": "user", "content": ENGLISH},))
PARTS = Request("a", "f", "m", "m", ({"role": "user", "content": [{"type": "text", "text": ENGLISH}]},))
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": ENGLISH}}


def reply(**said: object) -> Reply:
    return Reply(**{"text": "", "verdict": Verdict.COMPLETE, **said})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "outcome",
    [
        reply(text=ENGLISH),
        reply(reasoning=ENGLISH),
        reply(refusal=ENGLISH),
        reply(tool_calls=[CALL]),
        Failure("truncated", "cut", partial_text=ENGLISH),
        Failure("unknown_finish", "what?", answer=reply(text=ENGLISH)),
    ],
    ids=["text", "reasoning", "refusal", "tool call", "half a text", "an answer of unknown end"],
)
def test_all_model_output_counts(outcome: Outcome) -> None:
    assert believed(Usage(260, 1, 261), REQUEST, outcome) == (260, None)
    assert believed(Usage(260, 270, 530), REQUEST, outcome) == (260, 270)


@pytest.mark.parametrize("request_", [REQUEST, PARTS], ids=["a text", "parts"])
def test_a_prompt_of_a_page_has_more_than_a_token(request_: Request) -> None:
    assert believed(Usage(1, 2, 3), request_, reply(text="Yes.")) == (None, 2)


def test_missing_counts_are_unknown() -> None:
    assert believed(None, REQUEST, reply(text="Yes.")) == (None, None)


def test_pictures_do_not_count_for_the_tokens_of_a_prompt() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + BASE64 * 10}}
    request = Request("a", "f", "m", "m", ({"role": "user", "content": [picture]},))
    assert believed(Usage(85, 2, 87), request, reply(text="Yes.")) == (85, 2)


def test_a_text_of_many_megabytes_is_judged_at_once() -> None:
    begin = time.process_time()
    assert is_too_small(1, [" =" * 10**7 + "word " * 10**6]) is False
    assert is_too_small(1, ["word " * 10**7])
    assert time.process_time() - begin < 2
