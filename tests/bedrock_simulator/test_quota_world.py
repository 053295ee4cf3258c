"""Quotas and cross-region routing, with time in hand."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.bedrock_simulator.errors import ServiceError
from local.bedrock_simulator.process import RunningSimulator
from local.bedrock_simulator.scenario import Quota, load_scenario
from local.bedrock_simulator.world import Admission, World

ACCOUNT = "111111111111"
NOVA = "us.amazon.nova-lite-v1:0"
BASE = "amazon.nova-lite-v1:0"
NOTHING_DOWN: frozenset[str] = frozenset()
_MESSAGES = [{"role": "user", "content": [{"text": "Hello"}]}]


class FakeTime:
    """Seconds that only tests move."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


def world_of(time: FakeTime, *quotas: Quota, window: str = "rolling") -> World:
    return World(load_scenario().model_copy(update={"quotas": quotas, "quota_window": window}), time)


def admit(
    world: World, model: str = NOVA, tokens: int = 10, region: str = "us-east-1", **more: Any
) -> Admission:
    account = more.get("account", ACCOUNT)
    return world.admit(world.resolve(model, region, account), account, tokens, more.get("down", NOTHING_DOWN))


def refused(world: World, **more: Any) -> str:
    with pytest.raises(ServiceError) as raised:
        admit(world, **more)
    assert (raised.value.name, raised.value.status) == ("ThrottlingException", 429)
    return raised.value.message


def regional(first: int, second: int, third: int) -> list[Quota]:
    limits = {"us-east-1": first, "us-east-2": second, "us-west-2": third}
    return [Quota(model=BASE, region=region, requests_per_minute=limit) for region, limit in limits.items()]


def test_a_profile_spreads_by_its_regions_quotas(time: FakeTime) -> None:
    world = world_of(time, *regional(1, 7, 2))

    served = Counter(admit(world).region for _ in range(10))

    assert served == {"us-east-1": 1, "us-east-2": 7, "us-west-2": 2}
    assert refused(world) == "Too many requests, please wait before trying again."


def test_a_profile_begins_where_it_was_called_and_skips_regions_that_are_down(time: FakeTime) -> None:
    world = world_of(time, *regional(1, 7, 2))

    assert admit(world, region="us-west-2").region == "us-west-2"
    assert admit(world, down=frozenset({"us-east-1"})).region == "us-east-2"


def test_a_profiles_own_quota_holds_where_it_is_called(time: FakeTime) -> None:
    world = world_of(time, Quota(model=NOVA, region="us-east-1", requests_per_minute=3))

    for _ in range(3):
        admit(world)

    refused(world)
    assert admit(world, region="us-east-2").region == "us-east-2"
    assert admit(world, model=BASE).region == "us-east-1"


def test_accounts_have_their_own_allowance(time: FakeTime) -> None:
    world = world_of(
        time,
        Quota(model=NOVA, requests_per_minute=1),
        Quota(model=NOVA, account="222222222222", requests_per_minute=2),
    )

    admit(world)
    refused(world)
    admit(world, account="222222222222")
    admit(world, account="222222222222")
    refused(world, account="222222222222")


def test_a_refused_request_consumes_nothing(time: FakeTime) -> None:
    world = world_of(time, Quota(model=NOVA, requests_per_minute=2, tokens_per_minute=100))

    admit(world, tokens=60)
    assert refused(world, tokens=41) == "Too many tokens, please wait before trying again."
    admit(world, tokens=40)


def test_tokens_are_reserved_first_and_settled_to_what_was_used(time: FakeTime) -> None:
    world = world_of(time, Quota(model=NOVA, tokens_per_minute=100))

    admission = admit(world, tokens=100)
    refused(world, tokens=1)
    admission.settle(30)

    assert refused(world, tokens=71)
    admit(world, tokens=70)


def test_settling_can_cost_more_than_was_reserved(time: FakeTime) -> None:
    world = world_of(time, Quota(model=NOVA, tokens_per_minute=100))

    admit(world, tokens=10).settle(150)

    refused(world, tokens=1)


def test_rolling_windows_return_each_request_a_minute_after_it_came(time: FakeTime) -> None:
    world = world_of(time, Quota(model=NOVA, requests_per_minute=2))
    admit(world)
    time.now += 40
    admit(world)

    time.now += 19.9
    refused(world)
    time.now += 0.2
    admit(world)
    refused(world)


def test_fixed_windows_begin_with_the_minute(time: FakeTime) -> None:
    world = world_of(time, Quota(model=NOVA, requests_per_minute=1), window="fixed")
    time.now = 60_000_000 * 60 + 59
    admit(world)
    refused(world)

    time.now += 1
    admit(world)
    refused(world)


def test_settling_after_the_minute_changes_nothing(time: FakeTime) -> None:
    world = world_of(time, Quota(model=NOVA, tokens_per_minute=100))
    old = admit(world, tokens=100)
    time.now += 60
    admit(world, tokens=60)

    old.settle(10)

    assert refused(world, tokens=41)
    admit(world, tokens=40)


def test_quotas_are_exact_under_fifty_concurrent_calls(simulator: RunningSimulator, client: Any) -> None:
    simulator.control.set_quotas([Quota(model=NOVA, requests_per_minute=17)])

    def call(_: int) -> str:
        try:
            client.converse(modelId=NOVA, messages=_MESSAGES)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "answered"

    with ThreadPoolExecutor(50) as pool:
        outcomes = Counter(pool.map(call, range(50)))

    assert outcomes == {"answered": 17, "ThrottlingException": 33}
    (usage,) = simulator.control.state()["usage"]
    assert usage["requests"] == 17


def test_ten_concurrent_calls_of_a_profile_land_by_regional_quota(
    simulator: RunningSimulator, client: Any
) -> None:
    simulator.control.set_quotas(regional(1, 7, 2))

    def serving_region(_: int) -> str:
        response = client.converse(modelId=NOVA, messages=_MESSAGES)
        return str(response["ResponseMetadata"]["HTTPHeaders"]["x-simulator-region"])

    with ThreadPoolExecutor(10) as pool:
        served = Counter(pool.map(serving_region, range(10)))

    assert served == {"us-east-1": 1, "us-east-2": 7, "us-west-2": 2}
    assert Counter(call.served_by for call in simulator.control.calls()) == served


def test_max_tokens_is_what_a_request_reserves(simulator: RunningSimulator, client: Any) -> None:
    simulator.control.set_quotas([Quota(model=NOVA, tokens_per_minute=1000)])

    with pytest.raises(client.exceptions.ThrottlingException, match="Too many tokens"):
        client.converse(modelId=NOVA, messages=_MESSAGES)  # reserves the model's 10,000
    client.converse(modelId=NOVA, messages=_MESSAGES, inferenceConfig={"maxTokens": 900})
    client.converse(modelId=NOVA, messages=_MESSAGES, inferenceConfig={"maxTokens": 900})

    assert [call.reserved_tokens for call in simulator.control.calls()] == [0, 901, 901]
    (usage,) = simulator.control.state()["usage"]
    assert usage["tokens"] == 2 * (1 + 3)


def test_output_of_newer_claude_models_burns_five_tokens_each(
    simulator: RunningSimulator, client: Any
) -> None:
    haiku = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
    simulator.control.set_quotas([Quota(model=haiku, tokens_per_minute=1000)])
    request = {"modelId": haiku, "messages": _MESSAGES, "inferenceConfig": {"maxTokens": 100}}

    list(client.converse_stream(**request)["stream"])
    client.converse(**request)

    (usage,) = simulator.control.state()["usage"]
    assert usage["tokens"] == 2 * (1 + 3 * 5)


def test_quota_returns_when_the_clock_moves_on(simulator: RunningSimulator, client: Any) -> None:
    simulator.control.set_quotas([Quota(model=NOVA, requests_per_minute=1)])
    client.converse(modelId=NOVA, messages=_MESSAGES)
    with pytest.raises(client.exceptions.ThrottlingException):
        client.converse(modelId=NOVA, messages=_MESSAGES)

    simulator.control.advance_clock(60)

    client.converse(modelId=NOVA, messages=_MESSAGES)
