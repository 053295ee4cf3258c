"""Service parity: a standby is only where AWS has what it needs, and where every model has an answer."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import botocore
import pytest

from gateway.catalog import BedrockDeployment, Catalog, Model, OpenAICompatibleDeployment
from gateway.catalog.strategies import Conditional, Percentage
from stacks.config import parity
from stacks.config.load import load_configuration
from stacks.config.standby_rules import standby_does_not_fit
from stacks.standby import StandbyEnvironment, standby_environment
from stacks.standby_catalog import standby_catalog, unserved

TABLE: dict[str, Any] = json.loads(parity.TABLE.read_text(encoding="utf-8"))
ECS, EKS = load_configuration("prod")[0], load_configuration("prod-eks")[0]
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
TITAN = "amazon.titan-embed-text-v2:0"
SECRET = "arn:aws:secretsmanager:{}:333333333333:secret:gatehouse/prod/openai-AbCdEf"


@cache
def _partition() -> dict[str, Any]:
    file = Path(botocore.__file__).with_name("data") / "endpoints.json"
    partitions = json.loads(file.read_text(encoding="utf-8"))["partitions"]
    return next(partition for partition in partitions if partition["partition"] == "aws")


def _problems(region: str = "us-west-2", **sections: Any) -> list[str]:
    """What is said against a standby of prod's in another region, of the region itself."""
    standby = ECS.standby.model_copy(update={"region": region})
    found = standby_does_not_fit(standby, {"region": "us-east-1", **sections})
    return [breach.allowed for breach in found if breach.path == ("region",)]


def test_the_table_is_what_the_sdk_knows_where_it_knows_it() -> None:
    partition = _partition()
    assert set(TABLE["regions"]) == set(partition["regions"])
    for service in TABLE["services"].values():
        if "endpoint" in service:
            has = set(partition["services"][service["endpoint"]]["endpoints"])
            assert set(service["missing_in"]) == set(TABLE["regions"]) - has, service["name"]


def test_every_entry_of_the_table_names_regions_and_a_source() -> None:
    assert parity.as_of() == TABLE["as_of"]
    for service in TABLE["services"].values():
        assert service["source"].startswith("https://")
        assert set(service["missing_in"]) <= set(TABLE["regions"])
    for regions in TABLE["models"].values():
        assert set(regions) <= set(TABLE["regions"])


def test_a_region_with_everything_is_taken() -> None:
    assert _problems("us-west-2") == []
    assert _problems("eu-west-1", compute=EKS.compute, image=EKS.image) == []


def test_a_service_that_is_missing_is_named_with_the_day() -> None:
    (allowed,) = _problems("mx-central-1")
    assert "mx-central-1, the standby's, has no S3 Multi-Region Access Points " in allowed
    assert allowed.endswith(f"as of {TABLE['as_of']}")


def test_the_environment_s_own_region_needs_both_ends_of_what_crosses() -> None:
    standby = ECS.standby
    found = list(standby_does_not_fit(standby, {"region": "me-central-1"}))
    assert "me-central-1, the environment's, has no account regional namespaces of S3" in found[0].allowed


def test_a_region_that_the_table_does_not_know_is_refused() -> None:
    (allowed,) = _problems("us-gov-west-1")
    assert "us-gov-west-1, the standby's, is none" in allowed


@pytest.mark.parametrize(
    ("sections", "region", "service"),
    [
        ({"compute": ECS.compute}, "ap-southeast-6", "ECS on Fargate"),
        ({"compute": EKS.compute}, "mx-central-1", "EKS Auto Mode"),
        ({"image": ECS.image}, "il-central-1", "Signer"),
        (
            {"image": ECS.image.model_copy(update={"enhanced_scanning": True})},
            "ap-southeast-6",
            "Inspector",
        ),
    ],
)
def test_what_an_environment_does_not_use_need_not_be_there(
    sections: dict[str, Any], region: str, service: str
) -> None:
    def missing(**sections: Any) -> list[str]:
        return [problem for problem in _problems(region, **sections) if f"no {service} " in f"{problem} "]

    assert missing(**sections)
    assert not missing()


def _bedrock(name: str, region: str = "us-east-1", model_id: str = HAIKU, **others: Any) -> dict[str, Any]:
    return {"name": name, "provider": "bedrock", "region": region, "model_id": model_id, **others}


def _catalog(*deployments: dict[str, Any], **model: Any) -> Catalog:
    return Catalog.model_validate({"models": [{"name": "m", "deployments": deployments, **model}]})


def _here(**standby: Any) -> StandbyEnvironment:
    section = ECS.standby.model_copy(update=standby)
    found = standby_environment(ECS.model_copy(update={"standby": section}))
    assert found is not None
    return found


def _moved(*deployments: dict[str, Any], **model: Any) -> Model:
    (moved,) = standby_catalog(_here(), _catalog(*deployments, **model)).models
    return moved


def _regions(model: Model) -> list[tuple[str, str | None]]:
    return [(deployment.name, deployment.region) for deployment in model.deployments]


def test_what_is_called_in_the_lost_region_is_called_in_the_standby_s() -> None:
    model = _moved(
        _bedrock("profile"),
        _bedrock("global", model_id=HAIKU.replace("us.", "global.")),
        _bedrock("third", "us-east-2"),
    )
    assert _regions(model) == [("profile", "us-west-2"), ("global", "us-west-2"), ("third", "us-east-2")]


def test_a_model_without_a_profile_moves_where_it_is_known_to_be() -> None:
    model = _moved(_bedrock("known", model_id=TITAN), _bedrock("unknown", model_id="some.model-v9:0"))
    assert _regions(model) == [("known", "us-west-2"), ("unknown", "us-east-1")]


def test_a_profile_of_another_geography_stays() -> None:
    catalog = _catalog(_bedrock("profile"))
    (model,) = standby_catalog(_here(region="eu-west-1"), catalog).models
    assert _regions(model) == [("profile", "us-east-1")]


def test_what_would_have_no_price_there_stays() -> None:
    """Budgets in USD refuse it: its owner names it there with its price."""
    elsewhere = _here(region="eu-west-1")
    (unpriced,) = standby_catalog(elsewhere, _catalog(_bedrock("titan", model_id=TITAN))).models
    price = {"input_usd": 0.02, "output_usd": 0}
    (priced,) = standby_catalog(elsewhere, _catalog(_bedrock("titan", model_id=TITAN, price=price))).models
    assert _regions(unpriced) == [("titan", "us-east-1")]
    assert _regions(priced) == [("titan", "eu-west-1")]


def test_what_is_guarded_stays_and_what_is_told_apart_for_the_bill_does_not() -> None:
    guarded = _moved(_bedrock("guarded", guardrail={"identifier": "gr1a2b3c4d5e", "version": "1"}))
    assert _regions(guarded) == [("guarded", "us-east-1")]
    arn = "arn:aws:bedrock:us-east-1:333333333333:application-inference-profile/a1b2c3d4e5f6"
    (billed,) = _moved(_bedrock("billed", application_profile_arn=arn)).deployments
    assert isinstance(billed, BedrockDeployment)
    assert (billed.region, billed.called_id) == ("us-west-2", HAIKU)


def test_a_provider_s_key_is_read_from_the_copy_of_its_secret() -> None:
    def keys(secret: str) -> list[str | None]:
        other = {"provider": "openai_compatible", "base_url": "https://api.openai.com/v1", "model": "gpt-5"}
        model = _moved({"name": "other", "api_key_secret": secret, **other})
        return [d.api_key_secret for d in model.deployments if isinstance(d, OpenAICompatibleDeployment)]

    assert keys(SECRET.format("us-east-1")) == [SECRET.format("us-west-2")]
    assert keys(SECRET.format("eu-west-1")) == [SECRET.format("eu-west-1")]
    assert keys("gatehouse/prod/openai") == ["gatehouse/prod/openai"]


def test_what_the_standby_s_region_had_already_is_called_once() -> None:
    """Two deployments of one quota would let twice as much through."""
    role = "arn:aws:iam::444444444444:role/models"
    model = _moved(_bedrock("east"), _bedrock("west", "us-west-2"), _bedrock("other", role_arn=role))
    assert _regions(model) == [("west", "us-west-2"), ("other", "us-west-2")]


def test_the_share_of_what_is_left_out_goes_to_what_it_is_the_same_as() -> None:
    strategy = {"kind": "percentage", "shares": {"east": 50, "west": 30, "third": 20}}
    model = _moved(
        _bedrock("east"), _bedrock("west", "us-west-2"), _bedrock("third", "us-east-2"), strategy=strategy
    )
    assert model.strategy == Percentage(kind="percentage", shares={"west": 80, "third": 20})


def test_a_route_to_what_is_left_out_leads_to_what_it_is_the_same_as() -> None:
    streams = {"when": [{"field": "stream", "is_in": [True]}], "deployments": ["east", "west"]}
    routes = [streams, {"deployments": ["east"]}]
    model = _moved(
        _bedrock("east"),
        _bedrock("west", "us-west-2"),
        strategy={"kind": "conditional", "routes": routes},
    )
    assert isinstance(model.strategy, Conditional)
    assert [route.deployments for route in model.strategy.routes] == [("west",), ("west",)]


@pytest.mark.parametrize("name", ["prod", "prod-eks"])
def test_the_catalogs_of_the_standbys_are_valid_themselves(name: str) -> None:
    environment, catalog = load_configuration(name)
    here = standby_environment(environment)
    assert here is not None
    moved = standby_catalog(here, catalog)
    assert Catalog.model_validate_json(moved.model_dump_json()) == moved
    assert list(moved.by_name) == list(catalog.by_name)
    assert not [d for model in moved.models for d in model.deployments if d.region == environment.region]


def _unserved(*models: dict[str, Any], **standby: Any) -> list[str]:
    catalog = Catalog.model_validate({"models": models})
    return [str(breach) for breach in unserved(_here(**standby), catalog)]


def test_a_model_without_a_deployment_outside_the_lost_region_is_refused() -> None:
    endpoint = {"name": "llama-east", "provider": "sagemaker", "region": "us-east-1", "endpoint_name": "l"}
    (problem,) = _unserved(
        {"name": "claude", "deployments": [_bedrock("c")]}, {"name": "llama", "deployments": [endpoint]}
    )
    assert problem.startswith(
        "models[1].deployments is ('llama-east',); allowed: one at least that the standby in"
    )
    assert problem.endswith(
        "add one in us-west-2 or in a third region, or name a model in fallbacks that has one"
    )


def test_a_model_may_be_answered_from_a_third_region_by_another_provider_or_a_fallback() -> None:
    endpoint = {"provider": "sagemaker", "endpoint_name": "l"}
    other = {"provider": "openai_compatible", "base_url": "https://llm.example.com/v1", "model": "m"}
    lost = {"name": "lost", "region": "us-east-1", **endpoint}
    assert not _unserved(
        {"name": "third", "deployments": [{"name": "a", "region": "us-east-2", **endpoint}]},
        {"name": "provider", "deployments": [{"name": "b", **other}]},
        {"name": "fallback", "deployments": [lost], "fallbacks": ["provider"]},
    )


def test_without_a_way_out_of_its_network_a_standby_calls_its_own_region_alone() -> None:
    network = ECS.network.model_copy(update={"nat": "none"})
    other = {"provider": "openai_compatible", "base_url": "https://llm.example.com/v1", "model": "m"}
    problems = _unserved(
        {"name": "third", "deployments": [_bedrock("a", "us-east-2")]},
        {"name": "provider", "deployments": [{"name": "b", **other}]},
        {"name": "own", "deployments": [_bedrock("c")]},
        network=network,
    )
    assert [problem.partition(".")[0] for problem in problems] == ["models[0]", "models[1]"]


def test_the_file_says_which_model_nobody_would_answer(
    problems_after: Callable[..., list[str]], config_directory: Path
) -> None:
    file = config_directory / "models" / "prod.yaml"
    text = file.read_text(encoding="utf-8")
    endpoint = "{name: l, provider: sagemaker, region: us-east-1, endpoint_name: l}"
    file.write_text(f"{text}\n  - name: llama\n    deployments:\n      - {endpoint}\n", encoding="utf-8")
    (line,) = problems_after("prod", ("mode: warm", "mode: warm"), both=True)
    number = len(text.splitlines()) + 4
    assert line.startswith(f"config/models/prod.yaml:{number}:")
    assert ".deployments is [l]; allowed: one at least that the standby in us-west-2 can call" in line
