"""The budget of a run over all its models: tokens, money, and the number of failed requests.

Tokens and money are hard limits. The maximum use of an attempt is reserved before it is sent, and replaced by
the reported use when it settles. A limit can only be exceeded by as much as the prompts of the last requests
in flight were underestimated.
"""

from __future__ import annotations

from msgspec import Struct

SHARE_FROM = 20
"""Minimum number of results for a limit on the share of failures."""


class Charge(Struct, frozen=True, gc=False):
    """The use of an attempt: prompt and completion tokens, and money; ``None`` for unknown.

    ``by_provider``: the provider has reported the cost.
    """

    tokens: float | None
    cost: float | None
    by_provider: bool = False


NOTHING = Charge(0.0, 0.0)
UNKNOWN = Charge(None, None)


class Account:
    """One kind of use: ``known`` as reported by servers, ``assumed`` if they did not report it."""

    def __init__(self, limit: float | None = None) -> None:
        self.limit = limit
        self.known = self.assumed = 0.0
        self._excess = self._excessive = 0.0
        self._reserved = 0.0

    def fits(self, amount: float | None) -> bool:
        """Whether the amount fits in the limit with what is spent and reserved."""
        return self.limit is None or self._taken + (amount or 0.0) <= self.limit

    def reserve(self, amount: float | None) -> None:
        """Reserve the amount."""
        self._reserved += amount or 0.0

    def settle(self, reserved: float | None, reported: float | None) -> None:
        """Release the reservation and book what was reported, or the whole reservation if nothing was."""
        self._reserved -= reserved or 0.0
        if reported is not None:
            self.known += reported
            if reported - (reserved or 0.0) > self._excess:
                self._excess, self._excessive = reported - (reserved or 0.0), reported
        else:
            self.assumed += reserved or 0.0

    def shortage(self, what: str, amount: float | None, form: str) -> str:
        """Return a message why the amount does not fit; ``form`` is the format of numbers."""
        limit, spent, assumed, more = (
            format(number or 0.0, form)
            for number in (self.limit, self.known + self.assumed, self.assumed, amount)
        )
        doubt = f" ({assumed} of that assumed, for attempts without usage)" if self.assumed else ""
        until = "" if amount is None else f", and the next request may take {more}"
        return f"{what}: {spent}{doubt} of {limit} spent{until}{self._largest_excess(form)}"

    def _largest_excess(self, form: str) -> str:
        """Describe the attempt that used most of the limit by itself, with its reservation."""
        if self.limit is None or self._excess <= self.limit / 2:
            return ""
        reported, reserved = (
            format(each, form) for each in (self._excessive, self._excessive - self._excess)
        )
        return f"; the server reported {reported} for one attempt, for which {reserved} had been reserved"

    @property
    def _taken(self) -> float:
        return self.known + self.assumed + self._reserved


class FailureLimit(Struct, frozen=True):
    """The number or share of failed results that ends a run; ``None``: no limit."""

    number: int | None = None
    share: float | None = None

    def is_reached(self, failed: int, results: int) -> bool:
        """Whether ``failed`` failures of ``results`` results reach the limit."""
        if self.number is not None and failed >= self.number:
            return True
        return self.share is not None and results >= SHARE_FROM and failed / results >= self.share


class Budget:
    """The limits of one run, shared by all its models. ``reached`` describes the limit that ended it."""

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
        self.unreported = 0
        self.provider_cost: float | None = None
        self._failures = failures or FailureLimit()
        self._in_flight = self._results = self._failed = 0

    def admits(self, most: Charge) -> bool:
        """Whether a request that uses at most this much may be sent now."""
        if self.reached is not None:
            return False
        if self.tokens.fits(most.tokens) and self.cost.fits(most.cost):
            return True
        if not self._in_flight:
            self.reached = self._shortage(most)
        return False

    def reserve(self, most: Charge) -> None:
        """Reserve the maximum use of an attempt that is sent."""
        self._in_flight += 1
        self.unreported += 1
        self.tokens.reserve(most.tokens)
        self.cost.reserve(most.cost)

    def settle(self, most: Charge, reported: Charge) -> None:
        """Release the reservation of an ended attempt and book its known use."""
        self._in_flight -= 1
        self.unreported -= reported.cost is not None
        if reported.by_provider:
            self.provider_cost = (self.provider_cost or 0.0) + (reported.cost or 0.0)
        self.tokens.settle(most.tokens, reported.tokens)
        self.cost.settle(most.cost, reported.cost)

    def result(self, *, failed: bool) -> None:
        """Count the result of a request."""
        self._results += 1
        self._failed += failed
        if self.reached is None and self._failures.is_reached(self._failed, self._results):
            self.reached = f"limits.failures: {self._failed} of {self._results} results have failed"

    def _shortage(self, most: Charge) -> str:
        if not self.tokens.fits(most.tokens):
            return self.tokens.shortage("limits.tokens", most.tokens, ".0f")
        return self.cost.shortage("limits.cost", most.cost, ".6g")
