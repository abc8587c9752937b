"""Text from models and servers cannot do anything to a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.terminal_escaping import escape
from tests.support.results_support import hostile_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words, 100 %", "plain words, 100 %"),
        ("Grüße, 世界, שלום, 🎉", "Grüße, 世界, שלום, 🎉"),
        ("no\u00a0break", "no\u00a0break"),
        ("two\nlines\r\n\tand a tab", r"two\nlines\r\n\tand a tab"),
        ("\x1b[2J\x1b[31mred", r"\x1b[2J\x1b[31mred"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x1b]52;c;cm0gLXJm\x1b\\", "\\x1b]52;c;cm0gLXJm\\x1b\\"),
        ("\x9b2J", r"\x9b2J"),
        ("\b\b\x7f\0", r"\x08\x08\x7f\x00"),
        ("user\u202egpj.exe", r"user\u202egpj.exe"),
        ("\u2066left\u2069", r"\u2066left\u2069"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\x85d"),
        ("lone \ud83d", r"lone \ud83d"),
        ("tag \U000e0041", r"tag \U000e0041"),
        ("", ""),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, shown: str) -> None:
    assert escape(text) == shown


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("abcde\n", 6, "abcde…"),
        ("abc\ndef", 6, r"abc\n…"),
        ("abc\ndef", 5, "abc…"),
        ("\x1b" * 1000, 10, r"\x1b\x1b…"),
        ("a" * 10**6, 300, "a" * 299 + "…"),
    ],
)
def test_it_is_cut_between_characters(text: str, limit: int, shown: str) -> None:
    assert escape(text, limit) == shown


@given(hostile_text, st.integers(1, 60))
def test_whatever_comes_is_one_short_printable_line(text: str, limit: int) -> None:
    shown = escape(text, limit)
    assert len(shown) <= limit
    assert all(character.isprintable() or character.isspace() for character in shown)
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
