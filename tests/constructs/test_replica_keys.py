"""The keys of a region that stands by: copies of the primary's, for the services of their own region."""

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms

from gatehouse.keys import EncryptionKeys, ReplicaKeys, copied_to
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.directories import KEY_ARN, Resources, new_stack

PRIMARY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/mrk-"
REPLICA = "AWS::KMS::ReplicaKey"
ALIAS = "alias/gatehouse-test-data"
LOG_ALIAS = "alias/gatehouse-test-logs"


@pytest.fixture(scope="module")
def resources() -> Resources:
    stack = new_stack()
    keys = ReplicaKeys(
        stack,
        "Keys",
        primary_data=f"{PRIMARY}data",
        primary_logs=f"{PRIMARY}logs",
        data_key_alias=ALIAS,
        log_key_alias=LOG_ALIAS,
        user_pools_of="us-east-1",
        removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    )
    role = cdk.aws_iam.Role(stack, "Role", assumed_by=cdk.aws_iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    keys.data.grant_decrypt(role)
    return Resources(stack)


@pytest.fixture(scope="module")
def originals() -> Resources:
    """The keys that an environment has in its own region."""
    stack = new_stack()
    EncryptionKeys(
        stack,
        "Keys",
        data_key_alias=ALIAS,
        log_key_alias=LOG_ALIAS,
        user_pools_of="us-east-1",
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    return Resources(stack)


def _by_description(resources: Resources, resource_type: str) -> dict[str, dict[str, Any]]:
    return {key["Description"]: key for key in resources.properties(resource_type)}


def test_each_is_a_copy_of_its_own_original(resources: Resources) -> None:
    copies = _by_description(resources, REPLICA)
    assert {what: key["PrimaryKeyArn"] for what, key in copies.items()} == {
        "Gatehouse: data at rest": f"{PRIMARY}data",
        "Gatehouse: log groups": f"{PRIMARY}logs",
    }
    assert resources.properties("AWS::KMS::Key") == []


def test_a_copy_says_the_same_of_this_region_s_services_as_an_original(
    resources: Resources, originals: Resources
) -> None:
    """A policy is each copy's own: what it forgets is missed when nobody has the time to look for it."""
    copies = _by_description(resources, REPLICA)
    for what, original in _by_description(originals, "AWS::KMS::Key").items():
        assert copies[what]["KeyPolicy"] == original["KeyPolicy"]
        assert copies[what]["PendingWindowInDays"] == original["PendingWindowInDays"] == 30
    assert f"logs.{REGION}.amazonaws.com" in str(copies["Gatehouse: log groups"]["KeyPolicy"])


def test_a_copy_is_kept(resources: Resources) -> None:
    for resource in resources.by_id.values():
        if resource["Type"] == REPLICA:
            assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
            assert resource["UpdateReplacePolicy"] == "Retain"


def test_the_aliases_are_the_same_in_both_regions(resources: Resources, originals: Resources) -> None:
    def aliases(found: Resources, resource_type: str) -> dict[str, str]:
        keys = {
            n: r["Properties"]["Description"] for n, r in found.by_id.items() if r["Type"] == resource_type
        }
        return {
            alias["AliasName"]: keys[alias["TargetKeyId"]["Fn::GetAtt"][0]]
            for alias in found.properties("AWS::KMS::Alias")
        }

    expected = {ALIAS: "Gatehouse: data at rest", LOG_ALIAS: "Gatehouse: log groups"}
    assert aliases(resources, REPLICA) == aliases(originals, "AWS::KMS::Key") == expected


def test_grants_leave_the_key_policies_alone(resources: Resources) -> None:
    assert "Role" not in str(resources.properties(REPLICA))
    assert len(resources.properties("AWS::IAM::Policy")) == 1


def test_the_copy_of_a_key_in_another_region_has_the_same_id() -> None:
    """Also where the key's own ARN is known to CloudFormation alone."""
    stack = new_stack()
    known = copied_to("eu-west-1", kms.Key.from_key_arn(stack, "Known", KEY_ARN))
    assert known.region == "eu-west-1"
    assert stack.resolve(known.key_arn) == KEY_ARN.replace(f":{REGION}:", ":eu-west-1:")
    key = kms.Key(stack, "Key")
    key_id = {"Fn::Select": [1, {"Fn::Split": ["/", stack.resolve(key.key_arn)]}]}
    assert stack.resolve(copied_to("eu-west-1", key).key_arn) == {
        "Fn::Join": ["", [f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/", key_id]]
    }
