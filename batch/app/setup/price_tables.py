"""The prices of models: from the job file, or from the tables of the ``prices`` extra.

The tables are looked up by the address that requests are sent to, never by a model's name alone. The price of
another server for a model of the same name is unknown, and not zero.
"""

from __future__ import annotations

from decimal import Decimal
from importlib.util import find_spec
from typing import TYPE_CHECKING

from batch.jobfile.job import USD
from batch.scheduling.pricing import Price, Tier
from batch.wire.dialects.registry import dialect_of

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice, TieredPrices

    from batch.jobfile.job import JobFile, Model


def price_of(model: Model, currency: str = USD) -> Price | None:
    """Return the model's price; ``None`` if it is unknown, or differs between its addresses.

    ``currency`` is that of the job. The tables are in USD, and give no costs in another currency.
    """
    if (own := model.price) is not None:
        return Price(own.input, own.output, cached_input=own.cached_input, cache_write=own.cache_write)
    if currency != USD:
        return None
    addresses = model.base_urls or (model.base_url or "",)
    if not dialect_of(model.provider).HAS_LISTED_PRICES or not all(map(_may_be_listed, addresses)):
        return None
    prices = {_listed(model.model, address) for address in addresses}
    return prices.pop() if len(prices) == 1 else None


def has_price(model: Model) -> bool:
    """Return whether the model's price is known."""
    return price_of(model) is not None


def prices_of(job: JobFile) -> dict[str, Price]:
    """Return the known prices of a job's models, by target."""
    prices = {model.id: price_of(model, job.currency) for model in job.models}
    return {target: price for target, price in prices.items() if price is not None}


def _may_be_listed(base_url: str) -> bool:
    """Return whether the tables need to be loaded, which takes a while."""
    return base_url.startswith("https://") and "$" not in base_url and find_spec("genai_prices") is not None


def _listed(model: str, base_url: str) -> Price | None:
    from genai_prices import Usage, calc_price  # noqa: PLC0415 - an extra, and slow to load

    try:
        listed = calc_price(Usage(input_tokens=1), model, provider_api_url=base_url).model_price
    except LookupError:
        return None
    return _price(listed)


def _price(listed: ModelPrice) -> Price | None:
    """Return ``None`` if a price depends on more than tokens."""
    prompt, answer = listed.input_mtok, listed.output_mtok
    if prompt is None or answer is None or listed.requests_kcount:
        return None
    cached, written = listed.cache_read_mtok, listed.cache_write_mtok
    starts = sorted({start for each in (prompt, answer, cached, written) for start in _starts(each)})

    def cache(start: int) -> tuple[float | None, float | None]:
        return _at_or_none(cached, start), _at_or_none(written, start)

    tiers = tuple(Tier(start, _at(prompt, start), _at(answer, start), *cache(start)) for start in starts)
    return Price(_at(prompt, 0), _at(answer, 0), tiers, *cache(0))


def _starts(price: Decimal | TieredPrices | None) -> list[int]:
    """Return the numbers of prompt tokens from which another price applies."""
    return [] if price is None or isinstance(price, Decimal) else [tier.start for tier in price.tiers]


def _at_or_none(price: Decimal | TieredPrices | None, start: int) -> float | None:
    return None if price is None else _at(price, start)


def _at(price: Decimal | TieredPrices, start: int) -> float:
    """Return the price of a request with more prompt tokens than that."""
    if isinstance(price, Decimal):
        return float(price)
    return float(next((tier.price for tier in reversed(price.tiers) if tier.start <= start), price.base))
