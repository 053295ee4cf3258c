"""What calls cost: by a deployment's own price in the catalog or the provider's list price.

Amounts are nano-USD, whole numbers. Nothing here is measured or fetched: the list prices are data of this
package, each with the day it was looked up.
"""

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gateway.prices.price import (
    KINDS,
    PICO_USD,
    Price,
    Rates,
    asks_for_long_writes,
    cost,
    highest_cost,
    may_hide_names,
    rates,
)
from gateway.prices.table import bedrock_price, openai_price

if TYPE_CHECKING:
    from gateway.catalog import Catalog
    from gateway.catalog.deployments import Deployment, PriceAmounts
    from gateway.catalog.deployments import Price as CatalogPrice

__all__ = [
    "Price",
    "asks_for_long_writes",
    "cost",
    "described",
    "highest_cost",
    "may_hide_names",
    "price_of",
    "unpriced",
]


@lru_cache(maxsize=4096)
def price_of(deployment: "Deployment") -> Price | None:
    """What a deployment's tokens cost: its own price in the catalog, or else the list price, if it is known.

    Only Bedrock's models and OpenAI's at OpenAI itself have list prices here; an endpoint of SageMaker costs
    by the hour.
    """
    if deployment.price is not None:
        return _from_catalog(deployment.price)
    if deployment.provider == "bedrock":
        return bedrock_price(deployment.model_id, deployment.region)
    if deployment.provider == "openai_compatible":
        return openai_price(deployment.model, deployment.base_url)
    return None


def described(deployment: "Deployment") -> dict[str, Any] | None:
    """A deployment's price as the admin API shows it: USD per million tokens by kind, date and source.

    The tiers after the first say above_input_tokens. None without a price.
    """
    price = price_of(deployment)
    if price is None:
        return None
    (_, first), *longer = price.tiers
    tiers = [{"above_input_tokens": above, **_usd(each)} for above, each in longer]
    return {**_usd(first), "tiers": tiers, "date": price.date, "source": price.source}


def unpriced(catalog: "Catalog") -> list[str]:
    """The deployments whose price is not known, by name: budgets in USD refuse calls to them."""
    return [
        deployment.name
        for model in catalog.models
        for deployment in model.deployments
        if price_of(deployment) is None
    ]


def _from_catalog(price: "CatalogPrice") -> Price:
    tiers = ((0, _rates(price)), *((tier.above_input_tokens, _rates(tier)) for tier in price.tiers))
    return Price(tiers=tiers)


def _rates(amounts: "PriceAmounts") -> Rates:
    # The number as it was written down, not as it is held in binary.
    return rates(
        {
            kind: None if (usd := getattr(amounts, f"{kind}_usd")) is None else Fraction(str(usd))
            for kind in KINDS
        }
    )


def _usd(each: Rates) -> dict[str, float]:
    return {f"{kind}_usd": getattr(each, kind) * 1_000_000 / PICO_USD for kind in KINDS}
