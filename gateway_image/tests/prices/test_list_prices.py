"""The list prices that come with the gateway, and which deployment has which."""

import datetime
import json
from importlib.resources import files
from itertools import pairwise
from typing import Any

import pytest

from gateway.catalog import Catalog, Deployment
from gateway.prices import cost, described, highest_cost, price_of, unpriced
from gateway.prices.price import KINDS
from gateway.prices.table import Amounts, load
from gateway.providers import Usage

FILES = ("amazon_bedrock", "openai")
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
LITE = "amazon.nova-lite-v1:0"
ENTRIES = [(name, model) for name in FILES for model in load(name).models]


def deployment(**fields: Any) -> Deployment:
    document = {"models": [{"name": "m", "deployments": [{"name": "a", **fields}]}]}
    return Catalog.model_validate(document).models[0].deployments[0]


def on_bedrock(model_id: str, region: str = "us-east-1", **fields: Any) -> Deployment:
    return deployment(provider="bedrock", region=region, model_id=model_id, **fields)


def at_openai(model: str, base_url: str = "https://api.openai.com/v1", **fields: Any) -> Deployment:
    return deployment(provider="openai_compatible", base_url=base_url, model=model, **fields)


def per_million(one: Deployment, **tokens: int) -> float:
    """What so many tokens cost, in USD."""
    price = price_of(one)
    assert price is not None
    return cost(price, Usage(**tokens)) / 10**9


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_prices_says_when_and_where_they_were_looked_up(name: str) -> None:
    table = load(name)
    tomorrow = datetime.date.today() + datetime.timedelta(days=1)
    for date in (table.date, *(entry.date for entry in table.models.values() if entry.date)):
        assert datetime.date(2026, 1, 1) <= datetime.date.fromisoformat(date) <= tomorrow
    assert table.models
    assert table.regions or table.base_urls


def test_no_file_of_prices_is_forgotten() -> None:
    assert {file.name for file in files("gateway.prices").iterdir() if file.name.endswith(".json")} == {
        f"{name}.json" for name in FILES
    }


@pytest.mark.parametrize("name", FILES)
def test_no_model_is_priced_twice(name: str) -> None:
    def refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs), [key for key, _ in pairs]
        return dict(pairs)

    json.loads(
        files("gateway.prices").joinpath(f"{name}.json").read_bytes(), object_pairs_hook=refuse_repeated
    )


@pytest.mark.parametrize(("name", "model"), ENTRIES)
def test_the_prices_of_a_model_make_sense(name: str, model: str) -> None:
    entry = load(name).models[model]
    of_tiers: list[Amounts] = [entry, *entry.tiers]
    for amounts in of_tiers:
        each = amounts.rates()
        assert each.input > 0
        assert each.cache_read <= each.input <= each.cache_write <= each.cache_write_1h
        assert each.output >= each.input or "embed" in model
        assert (each.output == 0) == ("embed" in model)
        assert 1 <= float(entry.regional_factor) <= 2
    for lower, higher in pairwise(of_tiers):
        for kind in KINDS:
            assert getattr(lower.rates(), kind) <= getattr(higher.rates(), kind), kind
    limits = [tier.above_input_tokens for tier in entry.tiers]
    assert limits == sorted(set(limits))


@pytest.mark.parametrize(("name", "model"), ENTRIES)
def test_more_tokens_never_cost_less(name: str, model: str) -> None:
    one = on_bedrock(f"global.{model}") if name == "amazon_bedrock" else at_openai(model)
    price = price_of(one)
    assert price is not None
    steps = sorted({0, 1, 999, *(above + more for above, _ in price.tiers for more in (0, 1, 1000))})
    for fewer, more in pairwise(steps):
        for kind in ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"):
            assert cost(price, Usage(**{kind: fewer})) <= cost(price, Usage(**{kind: more}))
        assert highest_cost(price, input_tokens=fewer, output_tokens=fewer) <= highest_cost(
            price, input_tokens=more, output_tokens=more
        )


@pytest.mark.parametrize(
    ("model_id", "region", "input_usd", "output_usd"),
    [
        (f"global.{HAIKU}", "eu-central-1", 1.0, 5.0),
        (f"us.{HAIKU}", "us-east-1", 1.1, 5.5),
        (f"eu.{HAIKU}", "eu-central-1", 1.1, 5.5),
        (HAIKU, "ap-southeast-2", 1.1, 5.5),
        (f"us.{LITE}", "us-west-2", 0.06, 0.24),
        (LITE, "us-east-1", 0.06, 0.24),
        ("openai.gpt-oss-120b-1:0", "us-west-2", 0.15, 0.6),
        ("amazon.titan-embed-text-v2:0", "us-east-1", 0.02, 0.0),
    ],
)
def test_bedrocks_prices_by_inference_profile_and_region(
    model_id: str, region: str, input_usd: float, output_usd: float
) -> None:
    one = on_bedrock(model_id, region)
    # Below the limits of all tiers.
    assert per_million(one, input_tokens=1000) * 1000 == pytest.approx(input_usd, abs=1e-9)
    assert per_million(one, output_tokens=1000) * 1000 == pytest.approx(output_usd, abs=1e-9)


def test_writes_to_the_cache_cost_by_how_long_they_are_kept() -> None:
    one = on_bedrock(f"us.{SONNET}")
    assert per_million(one, cache_write_tokens=1000) * 1000 == pytest.approx(4.125)
    assert per_million(one, cache_write_tokens=1000, cache_write_1h_tokens=1000) * 1000 == pytest.approx(6.6)
    assert per_million(one, cache_read_tokens=1000) * 1000 == pytest.approx(0.33)


def test_a_longer_prompt_is_of_another_tier() -> None:
    one = on_bedrock(f"global.{SONNET}")
    assert per_million(one, input_tokens=200_000) == pytest.approx(0.6)
    assert per_million(one, input_tokens=400_000) == pytest.approx(2.4)


@pytest.mark.parametrize("model_id", ["amazon.nova-lite-v1", "amazon.nova-lite", LITE])
def test_what_a_first_version_adds_to_a_models_id_makes_no_difference(model_id: str) -> None:
    assert price_of(on_bedrock(model_id)) == price_of(on_bedrock(LITE))


@pytest.mark.parametrize(
    "one",
    [
        on_bedrock(f"eu.{LITE}", "eu-central-1"),
        on_bedrock("amazon.nova-lite-v2:0"),
        on_bedrock(f"us-gov.{HAIKU}", "us-gov-west-1"),
        on_bedrock(HAIKU, "us-gov-west-1"),
        on_bedrock(HAIKU, "cn-north-1"),
        on_bedrock("nobody.no-model-v1:0"),
        on_bedrock("global.nobody.no-model-v1:0"),
        at_openai("gpt-5", "https://eu.api.openai.com/v1"),
        at_openai("gpt-5", "https://api.openai.com.example.com/v1"),
        at_openai("gpt-5-turbo-unheard-of"),
        deployment(provider="sagemaker", region="us-east-1", endpoint_name="llama"),
    ],
)
def test_a_price_that_is_not_known_is_not_guessed(one: Deployment) -> None:
    assert price_of(one) is None
    assert described(one) is None


def test_snapshots_of_openais_models_cost_what_the_model_costs_unless_they_have_a_price_of_their_own() -> (
    None
):
    assert price_of(at_openai("gpt-5-2025-08-07")) == price_of(at_openai("gpt-5"))
    assert per_million(at_openai("gpt-4o-2024-05-13"), input_tokens=1_000_000) == 5
    assert per_million(at_openai("gpt-4o-2024-11-20"), input_tokens=1_000_000) == 2.5


def test_the_catalogs_own_price_goes_first() -> None:
    own = {"input_usd": 0.1, "output_usd": 0.7, "cache_read_usd": 0, "reasoning_usd": 1.3}
    one = on_bedrock(LITE, price=own)
    # A tenth of a USD is no number in binary; nothing is rounded because of it.
    assert per_million(one, input_tokens=3) * 10**9 == 300
    assert per_million(one, cache_read_tokens=1000) == 0
    assert per_million(one, output_tokens=10, reasoning_tokens=4) * 10**9 == 6 * 700 + 4 * 1300
    assert per_million(one, cache_write_tokens=1000) * 10**9 == 125_000


def test_tiers_of_the_catalogs_own_price() -> None:
    tiers = [{"above_input_tokens": 1000, "input_usd": 2, "output_usd": 4, "cache_write_usd": 3}]
    one = on_bedrock(LITE, price={"input_usd": 1, "output_usd": 2, "tiers": tiers})
    assert per_million(one, input_tokens=1000) == 0.001
    assert per_million(one, input_tokens=1001) == 0.002002
    assert per_million(one, cache_write_tokens=2000) == 0.006
    assert per_million(one, cache_write_tokens=2000, cache_write_1h_tokens=2000) == 0.012


def test_a_price_as_operators_see_it() -> None:
    told = described(on_bedrock(f"us.{SONNET}"))
    assert told is not None
    tiers = told.pop("tiers")
    assert told == {
        "input_usd": 3.3,
        "output_usd": 16.5,
        "cache_read_usd": 0.33,
        "cache_write_usd": 4.125,
        "cache_write_1h_usd": 6.6,
        "reasoning_usd": 16.5,
        "date": load("amazon_bedrock").date,
        "source": "https://aws.amazon.com/bedrock/pricing/",
    }
    assert [tier["above_input_tokens"] for tier in tiers] == [200_000]
    own = described(on_bedrock(LITE, price={"input_usd": 0.1, "output_usd": 2}))
    assert own is not None
    assert (own["input_usd"], own["source"], own["date"], own["tiers"]) == (0.1, "catalog", None, [])


def test_deployments_without_a_price_are_named() -> None:
    catalog = Catalog.model_validate(
        {
            "models": [
                {
                    "name": "m",
                    "deployments": [
                        {"name": "a", "provider": "bedrock", "region": "us-east-1", "model_id": LITE},
                        {"name": "b", "provider": "bedrock", "region": "eu-west-1", "model_id": f"eu.{LITE}"},
                        {"name": "c", "provider": "sagemaker", "region": "eu-west-1", "endpoint_name": "e"},
                    ],
                }
            ]
        }
    )
    assert unpriced(catalog) == ["b", "c"]
