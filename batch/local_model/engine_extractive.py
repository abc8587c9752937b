"""The engine without weights: every model answers with a summary of the last user message.

It reports what it is: ``served_by`` is ``extractive``, it uses no sampling parameter, and its usage counts
words, not tokens.
"""

from __future__ import annotations

import re

from batch.local_model.chat import Chat, ChatError, Ending, OnDelta
from batch.local_model.extractive import summarise
from batch.records import Usage

_WORD_AND_SPACE = re.compile(r"\S+\s*")


class ExtractiveEngine:
    """Summarizes by arithmetic (see ``extractive``); answers one chat at a time, in milliseconds."""

    name = "extractive"
    served_by = "extractive"
    parallel = 1

    def answer(self, chat: Chat, on_delta: OnDelta) -> Ending:
        """Send the summary word by word. Raises ``ChatError`` if there is no sentence to quote."""
        summary = " ".join(summarise(chat.last_user_text()))
        if not summary:
            raise ChatError("the user's message has no sentence that could be quoted", code="no_sentences")
        words = _WORD_AND_SPACE.findall(summary)
        for word in words:
            if not on_delta(word):
                break
        return Ending("stop", _usage(sum(len(m.text().split()) for m in chat.messages), len(words)))


def _usage(prompt: int, completion: int) -> Usage:
    return Usage(prompt, completion, prompt + completion)
