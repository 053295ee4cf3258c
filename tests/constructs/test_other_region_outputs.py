"""What a standby region asks the primary for: once, of one stack."""

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs

from gatehouse.other_region_outputs import OtherRegionOutputs
from tests.constructs.conftest import ACCOUNT
from tests.constructs.directories import KEY_ARN, Resources, new_stack

CUSTOM = "Custom::OtherRegionOutputs"


def _asked(stack: cdk.Stack, log_key: kms.IKey | None) -> OtherRegionOutputs:
    return OtherRegionOutputs(
        stack,
        "Asked" if log_key else "AskedForKeys",
        stack_name="gatehouse-test-Data",
        region="eu-west-1",
        outputs=("Second", "First"),
        log_key=log_key,
        log_retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )


@pytest.fixture(scope="module")
def stack() -> cdk.Stack:
    """One that has a key for its log, whose answer is used, and one that asks for the keys."""
    stack = new_stack()
    asked = _asked(stack, kms.Key.from_key_arn(stack, "Key", KEY_ARN))
    cdk.CfnOutput(stack, "Used", value=asked.value("First"))
    with pytest.raises(KeyError, match="Third is not among First, Second"):
        asked.value("Third")
    _asked(stack, None)
    return stack


@pytest.fixture(scope="module")
def resources(stack: cdk.Stack) -> Resources:
    return Resources(stack)


def test_an_answer_changes_with_what_is_asked_alone(resources: Resources) -> None:
    """With no other property that could change, no update of the stack asks the other region again."""
    for resource in resources.properties(CUSTOM):
        assert resource.keys() == {"ServiceToken", "ServiceTimeout", "StackName", "Region", "Outputs"}
        assert (resource["StackName"], resource["Region"]) == ("gatehouse-test-Data", "eu-west-1")
        assert resource["Outputs"] == ["First", "Second"]


def test_the_answer_is_read_by_the_output_s_name(stack: cdk.Stack, resources: Resources) -> None:
    (resource,) = (name for name, r in resources.by_id.items() if r["Type"] == CUSTOM and "Keys" not in name)
    (output,) = (o for o in stack.node.find_all() if isinstance(o, cdk.CfnOutput))
    assert stack.resolve(output.value) == {"Fn::GetAtt": [resource, "First"]}


def test_it_may_look_at_that_stack_and_no_other(resources: Resources) -> None:
    policies = resources.properties("AWS::IAM::Policy")
    looks = [
        statement
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
        if "logs:" not in str(statement["Action"])
    ]
    assert [statement["Action"] for statement in looks] == ["cloudformation:DescribeStacks"] * 2
    for statement in looks:
        arn = f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}:stack/gatehouse-test-Data/*"
        assert statement["Resource"] == arn


def test_its_log_has_our_key_unless_it_asks_for_that(resources: Resources) -> None:
    groups = {name: r["Properties"] for name, r in resources.by_id.items() if "LogGroup" in name}
    keys = {"ForKeys" in name: group.get("KmsKeyId") for name, group in groups.items()}
    assert keys == {False: KEY_ARN, True: None}
