"""What a run may spend over all its models, and how many of its requests may fail.

Tokens and money are hard limits: what is in flight is reserved, at the most that it may take, before it is
sent, and settled when its answer has told what it took. So a limit is overrun by no more than the prompts of
the last requests in flight were estimated too low.
"""

from __future__ import annotations

from msgspec import Struct

SHARE_FROM = 20
"""Results before which a share of failures means nothing."""


class Charge(Struct, frozen=True, gc=False):
    """What an attempt takes: tokens of prompt and answer, and money; ``None`` where that is not known.

    ``by_provider``: the cost is what the provider itself has stated.
    """

    tokens: float | None
    cost: float | None
    by_provider: bool = False


NOTHING = Charge(0.0, 0.0)
UNKNOWN = Charge(None, None)


class Account:
    """One kind of spending: ``known`` from servers, ``assumed`` where they did not tell."""

    def __init__(self, limit: float | None = None) -> None:
        self.limit = limit
        self.known = self.assumed = 0.0
        self._excess = self._excessive = 0.0
        self._reserved = 0.0

    def holds(self, amount: float | None) -> bool:
        """Whether there is room for the amount beside what is spent and what is reserved."""
        return self.limit is None or self._taken + (amount or 0.0) <= self.limit

    def reserve(self, amount: float | None) -> None:
        """Set the amount aside."""
        self._reserved += amount or 0.0

    def settle(self, reserved: float | None, told: float | None) -> None:
        """Take back what was set aside, and book what was told in its place, or else the whole of it."""
        self._reserved -= reserved or 0.0
        if told is not None:
            self.known += told
            if told - (reserved or 0.0) > self._excess:
                self._excess, self._excessive = told - (reserved or 0.0), told
        else:
            self.assumed += reserved or 0.0

    def shortage(self, what: str, amount: float | None, form: str) -> str:
        """Why there is no room for the amount, in words; ``form`` is the format of numbers."""
        limit, spent, assumed, more = (
            format(number or 0.0, form)
            for number in (self.limit, self.known + self.assumed, self.assumed, amount)
        )
        doubt = f" ({assumed} of that assumed, for attempts without usage)" if self.assumed else ""
        until = "" if amount is None else f", and the next request may take {more}"
        return f"{what}: {spent}{doubt} of {limit} spent{until}{self._surprise(form)}"

    def _surprise(self, form: str) -> str:
        """Name the attempt that took most of the limit by itself, against what was set aside for it."""
        if self.limit is None or self._excess <= self.limit / 2:
            return ""
        told, reserved = (format(each, form) for each in (self._excessive, self._excessive - self._excess))
        return f"; the server reported {told} for one attempt, for which {reserved} had been set aside"

    @property
    def _taken(self) -> float:
        return self.known + self.assumed + self._reserved


class FailureLimit(Struct, frozen=True):
    """So many failed results, or such a share of all results, end a run; ``None``: they do not."""

    number: int | None = None
    share: float | None = None

    def is_reached(self, failed: int, results: int) -> bool:
        """Whether so many failures of so many results are enough."""
        if self.number is not None and failed >= self.number:
            return True
        return self.share is not None and results >= SHARE_FROM and failed / results >= self.share


class Budget:
    """The limits of one run, shared by all its models. ``reached`` says in words which of them ended it.

    ``untold`` counts the attempts of which it is not known what they cost: servers do not always tell, and
    attempts in flight have not told yet. ``provider_cost`` is the part of the known cost that
    providers have stated themselves, ``None`` where none has.

    A request that does not fit waits while anything is in flight, since that may take less than was
    reserved for it. Where nothing is, a limit is reached for good, for smaller requests too.
    """

    def __init__(
        self,
        *,
        tokens: int | None = None,
        cost: float | None = None,
        failures: FailureLimit | None = None,
    ) -> None:
        self.reached: str | None = None
        self.tokens = Account(tokens)
        self.cost = Account(cost)
        self.untold = 0
        self.provider_cost: float | None = None
        self._failures = failures or FailureLimit()
        self._in_flight = self._results = self._failed = 0

    def admits(self, most: Charge) -> bool:
        """Whether a request that takes so much at most may be sent now."""
        if self.reached is not None:
            return False
        if self.tokens.holds(most.tokens) and self.cost.holds(most.cost):
            return True
        if not self._in_flight:
            self.reached = self._shortage(most)
        return False

    def reserve(self, most: Charge) -> None:
        """An attempt that takes so much at most is sent."""
        self._in_flight += 1
        self.untold += 1
        self.tokens.reserve(most.tokens)
        self.cost.reserve(most.cost)

    def settle(self, most: Charge, told: Charge) -> None:
        """It has ended, and is known to have taken so much."""
        self._in_flight -= 1
        self.untold -= told.cost is not None
        if told.by_provider:
            self.provider_cost = (self.provider_cost or 0.0) + (told.cost or 0.0)
        self.tokens.settle(most.tokens, told.tokens)
        self.cost.settle(most.cost, told.cost)

    def result(self, *, failed: bool) -> None:
        """A request has its result."""
        self._results += 1
        self._failed += failed
        if self.reached is None and self._failures.is_reached(self._failed, self._results):
            self.reached = f"limits.failures: {self._failed} of {self._results} results have failed"

    def _shortage(self, most: Charge) -> str:
        if not self.tokens.holds(most.tokens):
            return self.tokens.shortage("limits.tokens", most.tokens, ".0f")
        return self.cost.shortage("limits.cost", most.cost, ".6g")
