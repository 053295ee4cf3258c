"""From the section `identity` to the user pool: settings that no environment's file has."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template

from stacks.config.identity import Identity
from stacks.config.load import load_environment
from stacks.identity import PrimaryIdentityStack

ROOT = Path(__file__).resolve().parents[2]
KEY = "arn:aws:kms:us-east-1:111111111111:key/imported"
UUID = "00000000-0000-0000-0000-000000000000"
SETTINGS = {
    "session_hours": 2,
    "allowed_domains": ["example.com"],
    "machine_clients": ["nightly-reports"],
    "app_client_ids": ["1h57kf5cpq17m0eml12EXAMPLE"],
    "domain": {
        "domain_name": "auth.dev.gatehouse.example.com",
        "certificate_arn": f"arn:aws:acm:us-east-1:111111111111:certificate/{UUID}",
    },
    "mail": {"from_address": "no-reply@mail.dev.gatehouse.example.com", "reply_to": "it@example.com"},
    "providers": [
        {
            "type": "oidc",
            "name": "Corporate",
            "issuer": "https://login.example.com",
            "client_id": "gatehouse",
            "client_secret_name": "gatehouse/sso",
            "groups_claim": "groups",
            "project_claim": "cost_center",
            "roles": {"gateway-admins": "admin"},
        },
        {"type": "saml", "name": "Partner", "metadata_url": "https://partner.example.com/metadata"},
    ],
    "issuers": [{"issuer": "https://other.example.com", "audiences": ["gatehouse"]}],
}


@pytest.fixture(scope="module")
def stack() -> PrimaryIdentityStack:
    config = load_environment("dev").model_copy(update={"identity": Identity.model_validate(SETTINGS)})
    flags = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    app = cdk.App(context=flags, builtin_cloud_formation_validation=False, analytics_reporting=False)
    key = kms.Key.from_key_arn(cdk.Stack(app, "Keys"), "LogKey", KEY)
    stage = cdk.Stage(app, "Stage", env=cdk.Environment(account=config.account, region=config.region))
    return PrimaryIdentityStack(stage, "Identity", config=config, data_key=key, log_key=key)


@pytest.fixture(scope="module")
def resources(stack: PrimaryIdentityStack) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = Template.from_stack(stack).to_json()["Resources"]
    return found


def _properties(resources: dict[str, dict[str, Any]], resource_type: str) -> list[dict[str, Any]]:
    return [r["Properties"] for r in resources.values() if r["Type"] == resource_type]


def test_the_gateway_accepts_the_pool_s_tokens_then_those_of_others(stack: PrimaryIdentityStack) -> None:
    own, other = stack.resolve(stack.issuers)
    # Two machines, people's programs, and the application that was named.
    assert len(own["client_ids"]) == 4
    assert own["client_ids"][-1] == "1h57kf5cpq17m0eml12EXAMPLE"
    assert other == {"issuer": "https://other.example.com", "audiences": ["gatehouse"]}


def test_whoever_operates_it_is_told_the_id_of_each_client(stack: PrimaryIdentityStack) -> None:
    outputs = Template.from_stack(stack).to_json()["Outputs"]
    told = ["MachineClientId", "MachineClientIdnightlyDashreports", "PeopleClientId"]
    ids = [outputs[name]["Value"] for name in told]
    assert stack.resolve(stack.issuers)[0]["client_ids"][:3] == ids


def test_providers_are_as_configured(resources: dict[str, dict[str, Any]]) -> None:
    found = {p["ProviderName"]: p for p in _properties(resources, "AWS::Cognito::UserPoolIdentityProvider")}
    assert found.keys() == {"Corporate", "Partner"}
    assert found["Corporate"]["ProviderDetails"]["authorize_scopes"] == "openid email profile"
    assert found["Corporate"]["AttributeMapping"]["custom:provider_project"] == "cost_center"
    claims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
    assert found["Partner"]["AttributeMapping"] == {
        "email": f"{claims}/emailaddress",
        "name": f"{claims}/name",
    }


def test_people_stay_signed_in_as_long_as_configured(resources: dict[str, dict[str, Any]]) -> None:
    clients = _properties(resources, "AWS::Cognito::UserPoolClient")
    sessions = [c["RefreshTokenValidity"] for c in clients if c["AllowedOAuthFlows"] == ["code"]]
    assert sessions == [120, 120]
    assert len(clients) == 4


def test_the_page_s_own_name_leads_to_it(resources: dict[str, dict[str, Any]]) -> None:
    (alias,) = (r for r in _properties(resources, "AWS::Route53::RecordSet") if r["Type"] == "A")
    assert alias["Name"] == "auth.dev.gatehouse.example.com."
    target = alias["AliasTarget"]["DNSName"]["Fn::GetAtt"]
    assert resources[target[0]]["Type"] == "AWS::Cognito::UserPoolDomain"
    assert target[1] == "CloudFrontDistribution"


def test_the_pool_sends_mail_once_its_domain_is_verified(resources: dict[str, dict[str, Any]]) -> None:
    (pool,) = (r for r in resources.values() if r["Type"] == "AWS::Cognito::UserPool")
    mail = pool["Properties"]["EmailConfiguration"]
    assert mail["From"] == "Gatehouse <no-reply@mail.dev.gatehouse.example.com>"
    assert mail["ReplyToEmailAddress"] == "it@example.com"
    assert resources[mail["ConfigurationSet"]["Ref"]]["Type"] == "AWS::SES::ConfigurationSet"
    assert "Custom::VerifiedMailDomain" in {resources[name]["Type"] for name in pool["DependsOn"]}


def test_no_custom_resource_needs_node(resources: dict[str, dict[str, Any]]) -> None:
    functions = _properties(resources, "AWS::Lambda::Function")
    assert len(functions) == 4
    assert all(function["Runtime"].startswith("python") for function in functions)
