"""Token counts as a server reports them, as far as they can be believed: budgets rest on them."""

from __future__ import annotations

from batch.records import Usage


def larger(before: Usage | None, now: Usage) -> Usage:
    """Of two reports on one answer the larger counts: a later smaller one never replaces what was counted."""
    if before is None:
        return now
    return Usage(*(_most(getattr(before, name), getattr(now, name)) for name in Usage.__struct_fields__))


def believable(usage: Usage | None, *, has_words: bool) -> Usage | None:
    """The report without zeros that cannot be true, ``None`` where nothing is left.

    Every prompt has tokens. An answer that says something (``has_words``) has some, too.
    """
    if usage is None or 0 not in (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens):
        return usage
    prompt, completion, total = (
        usage.prompt_tokens or None,
        usage.completion_tokens,
        usage.total_tokens or None,
    )
    if has_words and not completion:
        completion = None
        if total is not None and total <= (prompt or 0):  # the sum with that zero
            total = None
    return None if prompt is None and not completion and total is None else Usage(prompt, completion, total)


def _most(before: int | None, now: int | None) -> int | None:
    if before is None or now is None:
        return now if before is None else before
    return max(before, now)
