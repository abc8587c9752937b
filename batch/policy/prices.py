"""What tokens cost."""

from __future__ import annotations

from msgspec import Struct

MILLION = 1_000_000


class Tier(Struct, frozen=True):
    """The prices of a request with more than ``above`` prompt tokens."""

    above: int
    input: float
    output: float


class Price(Struct, frozen=True):
    """Per million tokens of prompt and of answer, in whatever money they are given.

    ``tiers``, the smallest first, hold for the whole of a larger request.
    """

    input: float
    output: float
    tiers: tuple[Tier, ...] = ()

    def cost(self, prompt: float, completion: float) -> float:
        """What one request with so many tokens costs."""
        of: Price | Tier = self
        for tier in self.tiers:
            if prompt > tier.above:
                of = tier
        return (prompt * of.input + completion * of.output) / MILLION
