"""Finish reasons: every word of the closed lists, in any spelling, and unknown words."""

from __future__ import annotations

import pytest

from batch.finish_reasons import BUILT_IN, Ending, FinishReasons, classify

WORDS = {
    Ending.COMPLETE: "stop eos eos_token end_turn stop_sequence complete completed tool_calls tool_call "
    "tool_use function_call",
    Ending.LENGTH: "length max_tokens max_output_tokens model_length model_context_window_exceeded "
    "token_limit error_limit",
    Ending.FILTERED: "content_filter content_filtered safety recitation blocklist prohibited_content spii "
    "sensitive refusal language image_safety guardrail_intervened error_toxic",
    Ending.BROKEN_OFF: "error abort aborted cancelled canceled network_error timeout "
    "insufficient_system_resource malformed_function_call unexpected_tool_call repetition overloaded "
    "pause_turn user_cancel malformed_model_output malformed_tool_use",
    Ending.UNKNOWN: "done other unknown 7 finish_reason_unspecified stopped stop! maximum null_ true",
}


@pytest.mark.parametrize(
    ("word", "ending"), [(word, ending) for ending, words in WORDS.items() for word in words.split()]
)
def test_a_finish_reason_means_the_same_in_every_spelling(word: str, ending: Ending) -> None:
    spellings = (word, word.upper(), word.title(), f" {word}\n", word.replace("_", "-"))
    assert {classify(spelling) for spelling in spellings} == {ending}


@pytest.mark.parametrize("word", [None, "", " ", "null", "NULL"])
def test_no_finish_reason(word: str | None) -> None:
    assert classify(word) is None
    assert classify(word, FinishReasons(frozenset({"null", ""}))) is None


def test_a_job_adds_words_and_changes_none() -> None:
    own = FinishReasons(complete=frozenset({"done", "error"}), length=frozenset({"full", "stop"}))
    assert classify("Done", own) is Ending.COMPLETE
    assert classify("FULL", own) is Ending.LENGTH
    assert classify("error", own) is Ending.BROKEN_OFF
    assert classify("stop", own) is Ending.COMPLETE
    assert classify("other", own) is Ending.UNKNOWN


def test_no_finish_reason_is_in_two_lists() -> None:
    assert set(BUILT_IN.values()) == {Ending.COMPLETE, Ending.LENGTH, Ending.FILTERED, Ending.BROKEN_OFF}
    assert all(word == word.lower().strip() for word in BUILT_IN)
