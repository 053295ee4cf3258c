"""The operator of a drill, with a plan that has no work to do."""

import asyncio
from typing import cast

from local.drill.failover import serve
from local.drill.scenario import scenario
from local.drill.world import World
from operations.recovery.execution import Execution
from tests.region_switch.plans import APPROVER, plan_with, step

APPROVE = step("approve", "ManualApproval", {"ExecutionApprovalConfig": {"ApprovalRole": APPROVER}})


def test_somebody_approves_where_the_plan_asks_for_it() -> None:
    async def fail_over() -> Execution:
        # No step of the plan touches the regions.
        async with serve(plan_with(APPROVE), cast(World, None)) as served:
            return await served.fail_over(scenario(0), 30)

    execution = asyncio.run(fail_over())
    assert execution.outcome == "completed"
    assert [(step.name, step.status) for step in execution.steps] == [("approve", "completed")]


def test_a_plan_that_protects_nothing_is_told_from_one_that_does() -> None:
    async def protect() -> Execution | None:
        async with serve(plan_with(APPROVE), cast(World, None)) as served:
            recovery = await served.fail_over(scenario(0), 30)
            return await served.protect(recovery, 30)

    assert asyncio.run(protect()) is None
