"""The prices of tokens."""

from __future__ import annotations

from msgspec import Struct

MILLION = 1_000_000


class Tier(Struct, frozen=True):
    """The prices of a request with more than ``above`` prompt tokens."""

    above: int
    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None


class Price(Struct, frozen=True):
    """Prices per million prompt and completion tokens, in the currency of the job.

    ``tiers``, in ascending order, apply to the whole of a larger request. ``cached_input`` is the price of
    prompt tokens that were read from a cache, ``cache_write`` of those that were written to it; ``None``: the
    same as ``input``.
    """

    input: float
    output: float
    tiers: tuple[Tier, ...] = ()
    cached_input: float | None = None
    cache_write: float | None = None

    @property
    def is_free(self) -> bool:
        """Whether all prices are zero."""
        parts: tuple[Price | Tier, ...] = (self, *self.tiers)
        return not any(part.input or part.output or part.cached_input or part.cache_write for part in parts)

    def cost(self, prompt: float, completion: float, cached: float = 0, written: float = 0) -> float:
        """Return the cost of one request; ``cached`` and ``written`` are parts of its prompt.

        A server has to process at least one token of each prompt. A report that the whole prompt was cached
        is therefore ignored: such a prompt is charged at the full price.
        """
        at = self._at(prompt)
        if cached >= prompt:
            cached = 0
        written = min(written, prompt - cached)
        cached_input = at.input if at.cached_input is None else at.cached_input
        cache_write = at.input if at.cache_write is None else at.cache_write
        uncached = prompt - cached - written
        money = uncached * at.input + cached * cached_input + written * cache_write + completion * at.output
        return money / MILLION

    def most(self, prompt: float, completion: float) -> float:
        """Return the maximum cost of one request, for any use of a cache."""
        at = self._at(prompt)
        dearest = max(at.input, at.cached_input or 0.0, at.cache_write or 0.0)
        return (prompt * dearest + completion * at.output) / MILLION

    def _at(self, prompt: float) -> Price | Tier:
        """Return the prices of a request with ``prompt`` prompt tokens."""
        of: Price | Tier = self
        for tier in self.tiers:
            if prompt > tier.above:
                of = tier
        return of
