"""What a catalog may say, and what is told about one that may not."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.catalog import Catalog

Edit = Callable[[dict[str, Any], dict[str, Any]], object]
ROLE = "arn:aws:iam::222222222222:role/models"
PROFILE = "arn:aws:bedrock:{region}:{account}:application-inference-profile/a1b2"
GUARDRAIL = {"identifier": "gr1a2b3c4d5e", "version": "1"}


def _bedrock(name: str, **others: object) -> dict[str, object]:
    usual = {"provider": "bedrock", "region": "us-east-1", "model_id": "us.amazon.nova-lite-v1:0"}
    return {"name": name, **usual, **others}


def _compatible(name: str, **others: object) -> dict[str, object]:
    usual = {"provider": "openai_compatible", "base_url": "https://api.example.com/v1", "model": "m"}
    return {"name": name, **usual, **others}


def _document() -> dict[str, Any]:
    return {
        "models": [
            {"name": "small", "deployments": [_bedrock("small-1"), _bedrock("small-2")]},
            {"name": "large", "deployments": [_bedrock("large-1"), _compatible("large-2")]},
        ]
    }


def _problems(edit: Edit) -> list[str]:
    """The broken rules of the usual catalog after an edit of its two models."""
    document = _document()
    edit(*document["models"])
    with pytest.raises(ValidationError) as caught:
        Catalog.model_validate(document)
    (error,) = caught.value.errors()
    return error["msg"].splitlines()


def test_a_model_and_a_deployment_may_share_a_name() -> None:
    assert Catalog.model_validate({"models": [{"name": "a", "deployments": [_bedrock("a")]}]})


BREACHES: dict[str, tuple[Edit, str]] = {
    "a model's name twice": (
        lambda _, large: large.update(name="small"),
        "models[1].name is small; allowed: a name no other model of the catalog has; "
        "fix: rename one of the two",
    ),
    "a deployment's name twice, in two models": (
        lambda _, large: large["deployments"][1].update(name="small-1"),
        "models[1].deployments[1].name is small-1; allowed: a name no other deployment of the catalog has; "
        "fix: rename one of the two",
    ),
    "a fallback that is the model itself": (
        lambda small, _: small.update(fallbacks=["small"]),
        "models[0].fallbacks[0] is small; allowed: another model; "
        "fix: remove it: a model cannot stand in for itself",
    ),
    "a fallback that does not exist": (
        lambda small, _: small.update(fallbacks=["large", "huge"]),
        "models[0].fallbacks[1] is huge; allowed: one of large, small; fix: mend the name or add the model",
    ),
    "a fallback twice": (
        lambda small, _: small.update(fallbacks=["large", "large"]),
        "models[0].fallbacks[1] is large; allowed: each model once; fix: remove one of the two",
    ),
    "a guardrail that another deployment goes around": (
        lambda small, _: small["deployments"][0].update(guardrail=GUARDRAIL),
        "models[0].deployments[1].guardrail is None; allowed: a guardrail, as other deployments of the model "
        "have; fix: add one",
    ),
    "a guardrail that a fallback goes around": (
        lambda small, _: (
            small.update(fallbacks=["large"]),
            [deployment.update(guardrail=GUARDRAIL) for deployment in small["deployments"]],
        ),
        "models[0].fallbacks[0] is large; allowed: a model with a guardrail, as this one has; "
        "fix: add one there",
    ),
    "a guardrail that may not be applied": (
        lambda _, large: (
            large["deployments"].pop(),
            large["deployments"][0].update(guardrail=GUARDRAIL, chat_api="openai"),
        ),
        "models[1].deployments[0].chat_api is openai; allowed: converse, for a deployment with a guardrail; "
        "fix: write converse",
    ),
    "a profile of another region": (
        lambda small, _: small["deployments"][0].update(
            application_profile_arn=PROFILE.format(region="us-west-2", account="111111111111")
        ),
        "models[0].deployments[0].application_profile_arn is "
        "arn:aws:bedrock:us-west-2:111111111111:application-inference-profile/a1b2; allowed: one of "
        "us-east-1, the deployment's region; fix: name one there or change region",
    ),
    "a guardrail of another region": (
        lambda _, large: (
            large["deployments"].pop(),
            large["deployments"][0].update(
                guardrail={
                    "identifier": "arn:aws:bedrock:eu-west-1:111122223333:guardrail/g",
                    "version": "DRAFT",
                }
            ),
        ),
        "models[1].deployments[0].guardrail is arn:aws:bedrock:eu-west-1:111122223333:guardrail/g; allowed: "
        "one of us-east-1, the deployment's region; fix: name one there or change region",
    ),
    "a profile of another account than the role's": (
        lambda small, _: small["deployments"][0].update(
            role_arn=ROLE, application_profile_arn=PROFILE.format(region="us-east-1", account="111111111111")
        ),
        "models[0].deployments[0].application_profile_arn is "
        "arn:aws:bedrock:us-east-1:111111111111:application-inference-profile/a1b2; allowed: one of account "
        "222222222222, whose role calls it; fix: name a profile or a role of the other account",
    ),
    "a share for another model's deployment": (
        lambda small, _: small.update(
            strategy={"kind": "percentage", "shares": {"small-1": 50, "large-1": 50}}
        ),
        "models[0].strategy.shares is large-1, small-1; allowed: one share each for small-1, small-2; "
        "fix: add or remove shares",
    ),
    "shares of more than the whole": (
        lambda small, _: small.update(
            strategy={"kind": "percentage", "shares": {"small-1": 60, "small-2": 50}}
        ),
        "models[0].strategy.shares is 110 in total; allowed: shares that add up to 100; "
        "fix: change the shares",
    ),
    "the cheapest, without a price": (
        lambda small, _: (
            small.update(strategy={"kind": "optimized", "metric": "cost"}),
            small["deployments"][1].update(model_id="nobody.no-list-price-v1:0"),
        ),
        "models[0].strategy.metric is cost; allowed: a price for every deployment; small-2 has none; "
        "fix: add the price or choose another metric",
    ),
    "tiers of a price in another order": (
        lambda small, _: small["deployments"][1].update(
            price={
                "input_usd": 1,
                "output_usd": 5,
                "tiers": [
                    {"above_input_tokens": 200_000, "input_usd": 2, "output_usd": 9},
                    {"above_input_tokens": 200_000, "input_usd": 3, "output_usd": 9},
                ],
            }
        ),
        "models[0].deployments[1].price.tiers[1].above_input_tokens is 200000; allowed: more than 200000, as "
        "tiers ascend; fix: change the order or the number",
    ),
    "a route to another model's deployment": (
        lambda small, _: small.update(
            strategy={"kind": "conditional", "routes": [{"deployments": ["small-1", "large-1"]}]}
        ),
        "models[0].strategy.routes[0].deployments[1] is large-1; allowed: one of small-1, small-2; "
        "fix: mend the name",
    ),
    "a last route with conditions": (
        lambda small, _: small.update(
            strategy={
                "kind": "conditional",
                "routes": [{"when": [{"field": "stream", "is_in": [True]}], "deployments": ["small-1"]}],
            }
        ),
        "models[0].strategy.routes[0].when is conditions; allowed: none on the last route; "
        "fix: add a last route without conditions",
    ),
    "a route after one for every request": (
        lambda small, _: small.update(
            strategy={
                "kind": "conditional",
                "routes": [{"deployments": ["small-1"]}, {"deployments": ["small-2"]}],
            }
        ),
        "models[0].strategy.routes[0].when is no conditions; allowed: conditions on all routes but the last; "
        "fix: add them or move it",
    ),
    "a condition without a test": (
        lambda small, _: small.update(strategy=_conditional({"field": "tools"})),
        "models[0].strategy.routes[0].when[0] is no test; allowed: exactly one of is_in, not_in, at_least, "
        "at_most; fix: keep one",
    ),
    "a condition with two tests": (
        lambda small, _: small.update(
            strategy=_conditional({"field": "input_tokens", "at_least": 1, "at_most": 9})
        ),
        "models[0].strategy.routes[0].when[0] is at_least, at_most; allowed: exactly one of is_in, not_in, "
        "at_least, at_most; fix: keep one",
    ),
}


def _conditional(condition: dict[str, object]) -> dict[str, object]:
    first = {"when": [condition], "deployments": ["small-1"]}
    return {"kind": "conditional", "routes": [first, {"deployments": ["small-2"]}]}


@pytest.mark.parametrize(("edit", "problem"), BREACHES.values(), ids=BREACHES.keys())
def test_a_broken_rule_says_where_what_is_allowed_and_how_to_mend_it(edit: Edit, problem: str) -> None:
    assert _problems(edit) == [problem]


def test_all_broken_rules_are_told_together() -> None:
    def edit(small: dict[str, Any], large: dict[str, Any]) -> None:
        small.update(fallbacks=["huge"], strategy=_conditional({"field": "tools"}))
        large["deployments"][0]["name"] = "small-1"

    assert [problem.partition(" is ")[0] for problem in _problems(edit)] == [
        "models[1].deployments[0].name",
        "models[0].fallbacks[0]",
        "models[0].strategy.routes[0].when[0]",
    ]


@pytest.mark.parametrize(
    "strategy",
    [
        {"kind": "weighted"},
        {"kind": "fallback"},
        {"kind": "percentage", "shares": {"small-1": 66.67, "small-2": 33.34}},
        {"kind": "optimized", "metric": "latency"},
        _conditional({"field": "metadata.team", "not_in": ["research"]}),
        _conditional({"field": "header.x-priority", "is_in": ["high"]}),
    ],
)
def test_every_strategy_can_be_written(strategy: dict[str, object]) -> None:
    document = _document()
    document["models"][0]["strategy"] = strategy
    assert (
        Catalog.model_validate_json(json.dumps(document)).by_name["small"].strategy.kind == strategy["kind"]
    )


@pytest.mark.parametrize(
    ("edit", "place"),
    [
        (lambda small: small.update(deployments=[]), "deployments"),
        (lambda small: small.update(max_attempts=6), "max_attempts"),
        (lambda small: small.update(response_cache={"ttl_seconds": 0}), "response_cache.ttl_seconds"),
        (lambda small: small["deployments"][0].update(region="mars"), "deployments.0.bedrock.region"),
        (
            lambda small: small["deployments"][0].update(model_id="nova lite"),
            "deployments.0.bedrock.model_id",
        ),
        (lambda small: small["deployments"][0].update(role_arn="admin"), "deployments.0.bedrock.role_arn"),
        (lambda small: small["deployments"][0].update(weight=0), "deployments.0.bedrock.weight"),
        (lambda small: small["deployments"][0].update(provider="openai"), "deployments.0"),
    ],
)
def test_a_wrong_value_is_told_with_its_place(edit: Callable[[dict[str, Any]], object], place: str) -> None:
    document = _document()
    edit(document["models"][0])
    with pytest.raises(ValidationError) as caught:
        Catalog.model_validate_json(json.dumps(document))
    assert f"models.0.{place}" in {".".join(map(str, error["loc"])) for error in caught.value.errors()}


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.example.com/v1",
        "https://api.example.com/v1/",
        "https://api.example.com/v1?x=1",
        "https://",
        "http://localhost:x@api.example.com/v1",
        "http://localhost.example.com/v1",
        "https://user:password@api.example.com/v1",
        "https://api.example.com\\@other.example.com/v1",
    ],
)
def test_a_provider_s_key_is_never_sent_in_the_clear_nor_to_half_a_url(base_url: str) -> None:
    document = {"models": [{"name": "a", "deployments": [_compatible("a", base_url=base_url)]}]}
    with pytest.raises(ValidationError, match="base_url"):
        Catalog.model_validate(document)


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.example.com",
        "https://api.example.com:8443/v1",
        "https://my_host.openai.azure.com/openai/v1",
        "https://[2001:db8::1]/v1",
        "http://127.0.0.1:9000/v1",
        "http://localhost/v1",
    ],
)
def test_where_a_provider_may_be(base_url: str) -> None:
    Catalog.model_validate({"models": [{"name": "a", "deployments": [_compatible("a", base_url=base_url)]}]})


@pytest.mark.parametrize(
    "secret",
    ["two words", "arn:aws:secretsmanager:us-east-1:111122223333:secret:shared/key", "gatehouse/*"],
)
def test_a_secret_that_no_permission_could_name_is_refused(secret: str) -> None:
    document = {"models": [{"name": "a", "deployments": [_compatible("a", api_key_secret=secret)]}]}
    with pytest.raises(ValidationError, match="api_key_secret"):
        Catalog.model_validate(document)


def test_a_guardrail_is_one_guardrail() -> None:
    deployment = _bedrock("a", guardrail={"identifier": "*", "version": "1"})
    with pytest.raises(ValidationError, match=r"guardrail\.identifier"):
        Catalog.model_validate({"models": [{"name": "a", "deployments": [deployment]}]})


@pytest.mark.parametrize(
    ("model_id", "is_profile", "foundation_model"),
    [
        ("amazon.nova-lite-v1:0", False, "amazon.nova-lite-v1:0"),
        ("us.amazon.nova-lite-v1:0", True, "amazon.nova-lite-v1:0"),
        ("us-gov.anthropic.claude-1", True, "anthropic.claude-1"),
        (
            "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            True,
            "anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
    ],
)
def test_the_scope_of_a_profile_is_told_from_the_provider(
    model_id: str, is_profile: bool, foundation_model: str
) -> None:
    document = {"models": [{"name": "a", "deployments": [_bedrock("a", model_id=model_id)]}]}
    deployment = Catalog.model_validate(document).models[0].deployments[0]
    assert deployment.provider == "bedrock"
    assert (deployment.is_inference_profile, deployment.foundation_model) == (is_profile, foundation_model)


def test_a_catalog_is_written_in_one_order() -> None:
    deployment = _compatible("a", apis=["responses", "embeddings", "chat_completions"])
    catalog = Catalog.model_validate({"models": [{"name": "a", "deployments": [deployment]}]})
    assert '"apis":["chat_completions","embeddings","responses"]' in catalog.model_dump_json()
    assert Catalog.model_validate_json(catalog.model_dump_json()) == catalog
