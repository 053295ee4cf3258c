"""The plan of a synthesized environment is what the drill runs."""

import pytest

from local.drill.plan import plan_of
from local.region_switch.plan import plan_of_resource, workflow_of
from local.region_switch.rules import steps_of
from operations.assembly import Stack
from tests.drills.templates import stack_of


def test_region_switch_takes_the_plan_of_prod(recovery_stack: Stack) -> None:
    plan = plan_of_resource(plan_of({"Standby-Recovery": recovery_stack}))
    for action, region in (
        ("activate", "us-west-2"),
        ("activate", "us-east-1"),
        ("postRecovery", "us-east-1"),
    ):
        workflow = workflow_of(plan, action=action, region=region)
        assert workflow is not None
        assert list(steps_of(workflow))


def test_references_have_the_values_of_the_deployed_stack() -> None:
    role = {"Fn::GetAtt": ["Role", "Arn"]}
    arn = {"Fn::Join": [":", ["arn", {"Ref": "AWS::Partition"}, {"Ref": "AWS::Region"}]]}
    stack = stack_of(
        {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "recovery"}},
            "Plan": {
                "Type": "AWS::ARCRegionSwitch::Plan",
                "Properties": {"ExecutionRole": role, "Steps": [{"Arn": arn}, {"Id": {"Ref": "Bucket"}}]},
            },
        }
    )
    assert plan_of({"Recovery": stack}) == {
        "ExecutionRole": "arn:aws:iam::111111111111:role/recovery",
        "Steps": [{"Arn": "arn:aws:us-west-2"}, {"Id": "Bucket"}],
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"Fn::GetStackOutput": {}}, "Fn::GetStackOutput, which nothing here resolves"),
        ({"Fn::GetAtt": ["Plan", "Arn"]}, "AWS::ARCRegionSwitch::Plan.Arn, which is not known"),
    ],
)
def test_what_cannot_be_resolved_is_refused(value: object, message: str) -> None:
    stack = stack_of({"Plan": {"Type": "AWS::ARCRegionSwitch::Plan", "Properties": {"Name": value}}})
    with pytest.raises(ValueError, match=message):
        plan_of({"Recovery": stack})


def test_an_environment_without_a_plan_is_refused() -> None:
    with pytest.raises(ValueError, match="no standby that runs gateways"):
        plan_of({"Recovery": stack_of({})})
