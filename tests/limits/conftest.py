"""Four gateways that share a Valkey and a PostgreSQL, in front of the Bedrock simulator."""

from collections.abc import Iterator

import pytest

from local.bedrock_simulator import process as simulator_process
from local.fleet import Fleet, fleet

SCENARIO = """
accounts:
  - id: "111111111111"
    access_keys: {AKIAGATEWAY: secret-of-the-gateway}
unknown_access_keys: reject
timing: {tokens_per_second: 2000}
"""
CATALOG = {
    "models": [
        {
            "name": "chat",
            "max_output_tokens": 400,
            "deployments": [
                {
                    "name": region,
                    "provider": "bedrock",
                    "region": region,
                    "model_id": "amazon.nova-lite-v1:0",
                    "price": {"input_usd": 60, "output_usd": 240},
                }
                for region in ("us-east-1", "us-west-2")
            ],
        }
    ]
}
SEEDS = range(2)
# None of these ends at midnight, when a test may be running.
LIMITS = {
    "requests": {"requests_per_hour": 100},
    "tokens": {"tokens_per_month": 20_000},
    "usd": {"usd_total": 1.5},
    "killed": {"requests_per_hour": 100, "tokens_per_month": 20_000},
    "several": {"requests_per_hour": 250, "tokens_per_month": 30_000, "usd_total": 4},
}


def key_of(limit: str, seed: int) -> str:
    """The API key of one test's caller."""
    return f"key-of-{limit}-{seed}".ljust(40, "0")


@pytest.fixture(scope="module")
def running() -> Iterator[Fleet]:
    keys = {
        f"{limit}-{seed}": {"key": key_of(limit, seed), "admin": False, "limits": limits}
        for limit, limits in LIMITS.items()
        for seed in SEEDS
    }
    with simulator_process.start(SCENARIO) as simulator:
        environ = {"AWS_ACCESS_KEY_ID": "AKIAGATEWAY", "AWS_SECRET_ACCESS_KEY": "secret-of-the-gateway"}
        settings = {
            "bedrock_endpoint_url": simulator.url,
            "sts_endpoint_url": simulator.url,
            # If the machine is so busy that the cache seems to be away, callers are to ask again.
            "limits_when_cache_is_away": "closed",
        }
        with fleet(
            catalog=CATALOG,
            api_keys=keys,
            settings=settings,
            environ=environ,
            gateways=4,
            database=True,
        ) as everything:
            yield everything


@pytest.fixture(name="key_of")
def _key_of() -> object:
    return key_of


@pytest.fixture(params=SEEDS)
def seed(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number
