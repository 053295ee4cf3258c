"""The providers' list prices that come with the gateway, one file for each provider."""

import re
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from gateway.prices.price import KINDS, Price, Rates, rates

# USD per million tokens.
_Usd = Annotated[str, Meta(pattern=r"^\d{1,5}(\.\d{1,6})?$")]
_Url = Annotated[str, Meta(pattern=r"^https://")]
_Date = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d$")]


class Amounts(Struct, forbid_unknown_fields=True, kw_only=True):
    """USD per million tokens, as decimal numbers.

    Without cache_read or cache_write such tokens cost as much as input, without cache_write_1h as much as
    cache_write, and without reasoning as much as output: what has a price of its own is written down.
    """

    input: _Usd
    output: _Usd = "0"
    cache_read: _Usd | None = None
    cache_write: _Usd | None = None
    cache_write_1h: _Usd | None = None
    reasoning: _Usd | None = None

    def rates(self) -> Rates:
        """The same by token."""
        usd = {kind: None if (text := getattr(self, kind)) is None else Fraction(text) for kind in KINDS}
        usd["cache_write"] = usd["input"] if usd["cache_write"] is None else usd["cache_write"]
        usd["cache_write_1h"] = usd["cache_write"] if usd["cache_write_1h"] is None else usd["cache_write_1h"]
        return rates(usd)


class Tier(Amounts, kw_only=True):
    """Amounts for all tokens of a request whose prompt is longer."""

    above_input_tokens: Annotated[int, Meta(gt=0)]


class Entry(Amounts, kw_only=True):
    """The price of a model.

    tiers: by the length of prompts, ascending.
    everywhere: whether it is the price in all regions, not only in the file's.
    regional_factor: by which calls cost more that are not made through a global inference profile.
    date, sources: where they are not the file's.
    """

    tiers: list[Tier] = []
    everywhere: bool = False
    regional_factor: _Usd = "1"
    date: _Date | None = None
    sources: list[_Url] = []


class Table(Struct, forbid_unknown_fields=True, kw_only=True):
    """The prices of one provider.

    date: when the amounts were looked up. sources: where. price_list: where the provider publishes them.
    regions: of AWS that have these prices. base_urls: of the APIs that have them.
    models: by ID; what a model's version 1 adds to it (-v1, :0) makes no difference.
    """

    date: _Date
    sources: Annotated[list[_Url], Meta(min_length=1)]
    price_list: _Url
    regions: list[str] = []
    base_urls: list[_Url] = []
    models: dict[str, Entry]


_decode = msgspec.json.Decoder(Table).decode
_FIRST_VERSION = re.compile(r"(-v1)?(:\d+)?$")
_SNAPSHOT = re.compile(r"-\d{4}-\d\d-\d\d$")
# Regions of other partitions have prices of their own.
_OTHER_PARTITIONS = ("us-gov-", "us-iso", "eu-iso", "cn-")


@cache
def bedrock() -> Table:
    """Amazon Bedrock's prices, by model without what the first version adds."""
    table = load("amazon_bedrock")
    table.models = {_without_version(name): entry for name, entry in table.models.items()}
    return table


@cache
def openai() -> Table:
    """OpenAI's prices."""
    return load("openai")


def load(name: str) -> Table:
    """A file of prices as it stands."""
    return _decode(files(__package__).joinpath(f"{name}.json").read_bytes())


def bedrock_price(model_id: str, region: str) -> Price | None:
    """The price of a foundation model or an inference profile, called in a region."""
    scope, _, rest = model_id.partition(".")
    table = bedrock()
    name = _without_version(model_id)
    entry = table.models.get(name)
    if entry is None:
        entry = table.models.get(_without_version(rest))
    else:
        scope = ""
    if entry is None or region.startswith(_OTHER_PARTITIONS):
        return None
    if region not in table.regions and not entry.everywhere:
        return None
    price = _price(entry, table)
    return price if scope == "global" else price.times(Fraction(entry.regional_factor))


def openai_price(model: str, base_url: str) -> Price | None:
    """The price of a model, or a dated snapshot of it, at an API."""
    table = openai()
    if base_url not in table.base_urls:
        return None
    entry = table.models.get(model) or table.models.get(_SNAPSHOT.sub("", model))
    return None if entry is None else _price(entry, table)


def _price(entry: Entry, table: Table) -> Price:
    tiers = ((0, entry.rates()), *((tier.above_input_tokens, tier.rates()) for tier in entry.tiers))
    return Price(tiers=tiers, date=entry.date or table.date, source=table.price_list)


def _without_version(model_id: str) -> str:
    return _FIRST_VERSION.sub("", model_id)
