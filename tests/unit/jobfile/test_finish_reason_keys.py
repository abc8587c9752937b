"""``finish_reasons`` in a job file: a server's own words, and what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batch.finish_reasons import FinishReasons
from batch.jobfile import load
from tests.support.jobfile_support import HEAD, diagnostics_of, write

if TYPE_CHECKING:
    from pathlib import Path

JOB = HEAD + "prompt: a\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", FinishReasons()),
        ("finish_reasons: {}\n", FinishReasons()),
        ("finish_reasons: {complete: [Done, ok-now]}\n", FinishReasons(frozenset({"done", "ok_now"}))),
        (
            "finish_reasons: {complete: done, length: [full]}\n",
            FinishReasons(frozenset({"done"}), frozenset({"full"})),
        ),
        (
            "finish_reasons: {complete: [STOP], length: [length]}\n",
            FinishReasons(frozenset({"stop"}), frozenset({"length"})),
        ),
    ],
)
def test_words(text: str, expected: FinishReasons, tmp_path: Path) -> None:
    assert load(write(tmp_path, JOB + text)).finish_reasons == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "finish_reasons: done\n",
            (
                "5:17: finish_reasons: expected keys and values, got text; "
                "write `finish_reasons: {complete: [done]}`"
            ),
        ),
        (
            "finish_reasons: {done: [x]}\n",
            "5:18: finish_reasons.done: unknown key; known here: complete, length",
        ),
        (
            "finish_reasons: {complete: [7]}\n",
            "5:29: finish_reasons.complete[0]: expected text, got a whole number; put it in quotes",
        ),
        ("finish_reasons: {complete: ['']}\n", "5:29: finish_reasons.complete[0]: must not be empty"),
        (
            "finish_reasons: {complete: ['Null']}\n",
            "5:29: finish_reasons.complete[0]: is not a finish reason; leave it out",
        ),
        (
            "finish_reasons: {complete: [done, Error]}\n",
            (
                "5:35: finish_reasons.complete[1]: `error` always means `broken off`, "
                "and cannot mean `complete`; leave it out"
            ),
        ),
        (
            "finish_reasons: {length: [stop]}\n",
            (
                "5:27: finish_reasons.length[0]: `stop` always means `complete`, "
                "and cannot mean `length`; leave it out"
            ),
        ),
        (
            "finish_reasons: {complete: [done], length: [DONE]}\n",
            "5:45: finish_reasons.length[0]: is also listed under `complete`; keep one of them",
        ),
        (
            "finish_reason: {complete: [done]}\n",
            "5:1: finish_reason: unknown key; did you mean `finish_reasons`?",
        ),
    ],
)
def test_what_is_wrong_with_words(text: str, said: str, tmp_path: Path) -> None:
    assert diagnostics_of(lambda: load(write(tmp_path, JOB + text))) == [said]
