"""Plans that Region switch would refuse are refused here."""

from collections.abc import Callable
from typing import Any

import pytest

from local.region_switch.plan import PlanError, plan_of_resource
from tests.region_switch.plans import PRIMARY, lambda_step, plan_with, replica_step

Plan = dict[str, Any]


def block_of(plan: Plan) -> Plan:
    (block,) = plan["Workflows"][0]["Steps"][0]["ExecutionBlockConfiguration"].values()
    assert isinstance(block, dict)
    return block


def first_step(plan: Plan) -> Plan:
    found: Plan = plan["Workflows"][0]["Steps"][0]
    return found


def test_a_plan_of_a_template_becomes_one_of_the_api() -> None:
    plan = plan_of_resource(plan_with(lambda_step("fence")))
    assert (plan["primaryRegion"], plan["recoveryApproach"]) == (PRIMARY, "activePassive")
    (step,) = plan["workflows"][0]["steps"]
    assert step["executionBlockConfiguration"]["customActionLambdaConfig"]["retryIntervalMinutes"] == 1
    assert "tags" not in plan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda plan: plan.pop("ExecutionRole"), "executionRole"),
        (lambda plan: plan.update(Name="gatehouse prod"), "plan.name is 'gatehouse prod'"),
        (lambda plan: plan.update(PrimaryRegion="eu-west-1"), "primaryRegion eu-west-1 is not one of"),
        (
            lambda plan: plan["Workflows"][0].update(WorkflowTargetAction="deactivate"),
            "no workflow to deacti",
        ),
        (lambda plan: plan["Workflows"][0].update(WorkflowTargetRegion="eu-west-1"), "no region of the plan"),
        (lambda plan: plan["Workflows"][0]["Steps"].append(first_step(plan)), "the same name: fence"),
        (lambda plan: block_of(plan).update(RegionToRun="activeRegion"), "regionToRun activeRegion"),
        (lambda plan: block_of(plan).update(Ungraceful={"Behavior": "hurry"}), "'hurry', not one of skip"),
        (lambda plan: block_of(plan)["Lambdas"].pop(), "lambdas are in us-east-1, not one in each"),
        (lambda plan: first_step(plan).update(ExecutionBlockType="ECSServiceScaling"), "takes ecsCapacity"),
        (lambda plan: first_step(plan).update(ExecutionBlockType="EC2AutoScaling"), "is not simulated"),
        (lambda plan: first_step(plan).update(ExecutionBlockType="Magic"), "'Magic', not one of"),
    ],
)
def test_what_the_service_refuses_is_refused(change: Callable[[Plan], object], message: str) -> None:
    plan = plan_with(lambda_step("fence"))
    change(plan)
    with pytest.raises(PlanError, match=message):
        plan_of_resource(plan)


def test_a_replica_is_made_again_only_after_a_recovery() -> None:
    with pytest.raises(PlanError, match="belongs into a workflow for postRecovery"):
        plan_of_resource(plan_with(replica_step("replicate", after_a_recovery=True)))


def test_a_replica_is_known_in_each_region() -> None:
    plan = plan_with(replica_step("promote", after_a_recovery=False))
    del block_of(plan)["DbInstanceArnMap"][PRIMARY]
    with pytest.raises(PlanError, match="keys of dbInstanceArnMap are in us-west-2"):
        plan_of_resource(plan)
