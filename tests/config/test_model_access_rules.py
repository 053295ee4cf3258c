"""The section `model_access`, and the places that a catalog's models are in."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.catalog import Catalog
from stacks.config.load import load_environment
from stacks.config.model_access import guardrail_scope
from stacks.config.model_places import external_id, model_places

ProblemsAfter = Callable[..., list[str]]

ROLE = "arn:aws:iam::444444444444:role/models"


def _section(text: str) -> tuple[str, str]:
    return "service:\n", f"model_access:\n  {text}\nservice:\n"


def _bedrock(name: str, region: str, **others: str) -> dict[str, str]:
    return {
        "name": name,
        "provider": "bedrock",
        "region": region,
        "model_id": "amazon.nova-lite-v1:0",
        **others,
    }


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("external_id: a", "external_id", "2 to 256 letters"),
        ("checked_by: [arn:aws:iam::333333333333:user/jo]", "checked_by[0]", "the ARN of an IAM role"),
        ("invocation_logs: prompts", "invocation_logs", "metadata, content or none"),
        ('logged_elsewhere: ["42"]', "logged_elsewhere[0]", "12 digits"),
        ("projects: [search, Search]", "projects[1]", "lower-case"),
        ("projects: [search, search]", "projects[1]", "each project once"),
        ("guardrail: {}", "guardrail", "filters or denied topics"),
        ("guardrail: {content_filters: {hate: extreme}}", "guardrail.content_filters.hate", "none, low"),
        ("guardrail: {denied_topics: [{name: x}]}", "guardrail.denied_topics[0].definition", "text"),
    ],
)
def test_what_aws_would_refuse_is_refused(
    problems_after: ProblemsAfter, text: str, path: str, allowed: str
) -> None:
    (line,) = problems_after("dev", _section(text))
    assert f": model_access.{path} " in line
    assert allowed in line


def test_a_guardrail_of_several_regions_needs_a_profile_in_every_region(
    problems_after: ProblemsAfter, config_directory: Path
) -> None:
    catalog = config_directory / "models" / "dev.yaml"
    text = (
        "models: [{name: m, deployments: [{name: d, provider: bedrock, region: sa-east-1, model_id: a.b}]}]\n"
    )
    catalog.write_text(text, encoding="utf-8")
    guardrail = "guardrail: {tier: standard, content_filters: {hate: high}}"
    lines = problems_after("dev", _section(guardrail), both=True)
    (line,) = (line for line in lines if "guardrail" in line)
    assert "models[0].deployments[0].region is sa-east-1" in line
    assert line.endswith("fix: set the tier to classic or move it")


@pytest.mark.parametrize(
    ("region", "scope"),
    [
        ("us-east-1", "us"),
        ("us-gov-west-1", "us-gov"),
        ("eu-north-1", "eu"),
        ("ap-south-1", "apac"),
        ("sa-east-1", None),
    ],
)
def test_guardrails_are_evaluated_where_their_region_is(region: str, scope: str | None) -> None:
    assert guardrail_scope(region) == scope


def test_the_external_id_tells_environments_apart_unless_it_is_configured(config_directory: Path) -> None:
    assert external_id(load_environment("dev")) == "gatehouse-dev-111111111111"
    file = config_directory / "dev.yaml"
    old, new = _section("external_id: ours")
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    assert external_id(load_environment("dev", config_directory)) == "ours"


def test_an_account_s_roles_are_in_the_environment_s_region_whatever_the_catalog_names_first() -> None:
    dev = load_environment("dev")
    deployments = [
        _bedrock("own", "eu-west-1"),
        _bedrock("other", "ap-south-1", role_arn=ROLE),
        _bedrock("another", "eu-west-1", role_arn=f"{ROLE}-2"),
    ]
    catalog = Catalog.model_validate({"models": [{"name": "m", "deployments": deployments}]})
    found = [
        (place.account, place.region, [d.name for d in place.deployments], place.roles)
        for place in model_places(dev, catalog)
    ]
    assert found == [
        ("111111111111", "eu-west-1", ["own"], ()),
        ("444444444444", "ap-south-1", ["other"], ()),
        ("444444444444", "eu-west-1", ["another"], ()),
        ("444444444444", "us-east-1", [], (ROLE, f"{ROLE}-2")),
    ]
