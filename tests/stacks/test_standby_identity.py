"""Users, clients and images in two regions: what the stacks of both have to agree on."""

import json
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template

from gateway.identity.issuers import parse_issuers
from stacks.config.identity import Identity
from stacks.config.image import Image
from stacks.config.load import load_environment
from stacks.identity import IdentityStack, PrimaryIdentityStack
from stacks.registry import RegistryStack
from stacks.replicated_identity import ReplicatedIdentityStack
from stacks.standby import standby_environment
from tests.constructs.conftest import ROOT

CLIENTS = ["MachineClientId", "MachineClientIdnightlyDashreports", "PeopleClientId"]
CERTIFICATE = "arn:aws:acm:us-east-1:333333333333:certificate/01234567-89ab-cdef-0123-456789abcdef"
SETTINGS = {
    "allowed_domains": ["example.com"],
    "machine_clients": ["nightly-reports"],
    "mail": {"from_address": "no-reply@mail.gatehouse.example.com"},
    "domain": {"domain_name": "sign-in.gatehouse.example.com", "certificate_arn": CERTIFICATE},
}


class Regions:
    """The stacks of prod and of its standby, and their templates."""

    def __init__(self) -> None:
        flags = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
        app = cdk.App(context=flags, builtin_cloud_formation_validation=False, analytics_reporting=False)
        stage = cdk.Stage(app, "gatehouse-prod")
        cdk.Tags.of(stage).add("environment", "prod")
        config = load_environment("prod").model_copy(
            update={
                "identity": Identity.model_validate(SETTINGS),
                "image": Image.model_validate({"replicate_to": ["eu-west-1"]}),
            }
        )
        here = standby_environment(config)
        assert here is not None
        keys = cdk.Stack(app, "Keys")
        key, copy = (
            kms.Key.from_key_arn(keys, region, f"arn:aws:kms:{region}:333333333333:key/mrk-1")
            for region in ("us-east-1", "us-west-2")
        )
        primary = PrimaryIdentityStack(stage, "Identity", config=config, data_key=key, log_key=key)
        standby = ReplicatedIdentityStack(stage, "Standby-Identity", config=here, log_key=copy)
        self.primary: IdentityStack = primary
        self.standby: IdentityStack = standby
        registries = [
            RegistryStack(stage, "Registry", config=config, data_key=key),
            RegistryStack(stage, "Standby-Registry", config=here, data_key=copy),
        ]
        self.templates: dict[str, Mapping[str, Any]] = {
            stack.node.id: Template.from_stack(stack).to_json() for stack in (primary, standby, *registries)
        }

    def properties(self, stack: str, resource_type: str) -> list[dict[str, Any]]:
        """The properties of a stack's resources of a type."""
        resources = self.templates[stack]["Resources"].values()
        return [r.get("Properties", {}) for r in resources if r["Type"] == resource_type]


@pytest.fixture(scope="module")
def regions() -> Regions:
    return Regions()


def _without_ids(issuer: dict[str, Any], ids: list[Any]) -> Any:
    """What an issuer is but for how the region's template names the pool and its clients."""
    text = json.dumps(issuer)
    for number, value in enumerate(ids):
        text = text.replace(json.dumps(value), f'"{number}"')
    return json.loads(text)


def _told(regions: Regions, output: str) -> Any:
    """How the standby's template names what an output of the primary's tells."""
    (logical_id,) = (
        name
        for name, resource in regions.templates["Standby-Identity"]["Resources"].items()
        if resource["Type"] == "Custom::OtherRegionOutputs"
    )
    return {"Fn::GetAtt": [logical_id, output]}


def test_the_standby_asks_once_for_what_cognito_has_named(regions: Regions) -> None:
    (asked,) = regions.properties("Standby-Identity", "Custom::OtherRegionOutputs")
    assert asked["StackName"] == "gatehouse-prod-Identity"
    assert asked["Region"] == "us-east-1"
    assert asked["Outputs"] == sorted([*CLIENTS, "UserPoolId"])
    assert set(asked["Outputs"]) <= regions.templates["Identity"]["Outputs"].keys()


def test_both_regions_accept_the_same_tokens(regions: Regions) -> None:
    outputs = regions.templates["Identity"]["Outputs"]
    names = ["UserPoolId", *CLIENTS]
    (there,) = regions.primary.resolve(regions.primary.issuers)
    (here,) = regions.standby.resolve(regions.standby.issuers)
    assert _without_ids(there, [outputs[name]["Value"] for name in names]) == _without_ids(
        here, [_told(regions, name) for name in names]
    )
    assert len(here["client_ids"]) == 3


def _filled_in(value: Any) -> Any:
    """What a template's value is once CloudFormation knows the pool and its clients."""
    if isinstance(value, list):
        return [_filled_in(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Join" in value:
        return "".join(_filled_in(part) for part in value["Fn::Join"][1])
    if value.keys() & {"Fn::GetAtt", "Ref"}:
        return "us-east-1_EXAMPLE"
    return {name: _filled_in(inner) for name, inner in value.items()}


def test_tokens_name_an_issuer_whose_keys_both_regions_serve(regions: Regions) -> None:
    shared = "https://issuer-cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE"
    for stack in (regions.primary, regions.standby):
        (issuer,) = parse_issuers(json.dumps(_filled_in(stack.resolve(stack.issuers))))
        assert shared in issuer.names
        assert issuer.keys_url == f"{shared}/.well-known/jwks.json"
        # What load balancers compare with the token's.
        assert _filled_in(stack.resolve(stack.issuer)) == shared


def test_callers_stay_who_they_are_when_a_standby_comes_or_goes(regions: Regions) -> None:
    """Their IDs hold the issuer: it is the one of a user pool in one region."""
    (issuer,) = _filled_in(regions.primary.resolve(regions.primary.issuers))
    assert issuer["issuer"] == "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE"


def test_the_pool_is_copied_with_the_key_that_both_regions_have(regions: Regions) -> None:
    (pool,) = regions.properties("Identity", "AWS::Cognito::UserPool")
    assert pool["KeyConfiguration"]["KmsKeyArn"] == "arn:aws:kms:us-east-1:333333333333:key/mrk-1"
    (replica,) = regions.properties("Identity", "AWS::Cognito::UserPoolReplica")
    # No tags: a new one would replace the copy, beside which there can be no other.
    assert replica.keys() == {"RegionName", "UserPoolId"}
    assert replica["RegionName"] == "us-west-2"
    (domain,) = regions.properties("Identity", "AWS::Cognito::UserPoolDomain")
    routing = domain["Routing"]["Failover"]
    assert routing["SecondaryRegion"] == "us-west-2"
    # Who operates it can move the page by hand.
    check = regions.templates["Identity"]["Outputs"]["SignInHealthCheckId"]["Value"]
    assert routing["PrimaryRoute53HealthCheckId"] == check


def test_the_copy_asks_the_same_functions_as_the_pool(regions: Regions) -> None:
    (settings,) = regions.properties(
        "Standby-Identity", "AWS::Cognito::UserPoolRegionalConfigurationAttachment"
    )
    assert settings["UserPoolId"] == _told(regions, "UserPoolId")
    (pool,) = regions.properties("Identity", "AWS::Cognito::UserPool")
    # Mails are the pool's own.
    assert settings["LambdaConfig"].keys() == pool["LambdaConfig"].keys() - {"CustomMessage"}
    assert regions.properties("Standby-Identity", "AWS::SES::EmailIdentity") == []


def test_the_standby_makes_no_pool_and_no_clients(regions: Regions) -> None:
    made = {resource["Type"] for resource in regions.templates["Standby-Identity"]["Resources"].values()}
    assert not made & {f"AWS::Cognito::{kind}" for kind in ("UserPool", "UserPoolClient", "UserPoolDomain")}
    assert regions.standby.directory is None


def test_images_are_pushed_and_signed_in_each_region(regions: Regions) -> None:
    for stack, region in (("Registry", "us-east-1"), ("Standby-Registry", "us-west-2")):
        (repository,) = regions.properties(stack, "AWS::ECR::Repository")
        assert repository["RepositoryName"] == "gatehouse-prod/gateway"
        assert repository["EncryptionConfiguration"]["KmsKey"].startswith(f"arn:aws:kms:{region}:")
        (policy,) = repository["RepositoryPolicyText"]["Statement"]
        publisher = f"cdk-hnb659fds-image-publishing-role-333333333333-{region}"
        assert policy["Principal"]["AWS"].endswith(f":role/{publisher}")
        (signer,) = regions.properties(stack, "AWS::IAM::ManagedPolicy")
        assert signer["Roles"] == [publisher]
        assert len(regions.properties(stack, "AWS::ECR::SigningConfiguration")) == 1


def test_images_are_copied_to_the_standby_and_not_back(regions: Regions) -> None:
    (replication,) = regions.properties("Registry", "AWS::ECR::ReplicationConfiguration")
    (rule,) = replication["ReplicationConfiguration"]["Rules"]
    assert [destination["Region"] for destination in rule["Destinations"]] == ["eu-west-1", "us-west-2"]
    assert regions.properties("Standby-Registry", "AWS::ECR::ReplicationConfiguration") == []
