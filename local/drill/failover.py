"""The plan, run by the stand-in of Region switch and watched by the code that watches it in AWS."""

import asyncio
import contextlib
import io
import multiprocessing
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from aiohttp import web
from rich.console import Console

from local.drill.blocks import Blocks
from local.drill.scenario import Scenario
from local.drill.world import PRIMARY, STANDBY, World
from local.region_switch.blocks import Mode
from local.region_switch.plan import plan_of_resource, workflow_of
from local.region_switch.rules import AFTERWARDS
from local.region_switch.server import build_app
from local.region_switch.service import RegionSwitch
from local.throwaway_servers import ServerError
from operations.recovery.display import Display
from operations.recovery.execution import Execution, begin, history, look
from operations.recovery.operate import OnFailure, Operator, Policy

_ARN = "arn:aws:arc-region-switch::111111111111:plan/drill:a1b2c3"
# A plan's time limits and retry intervals are in minutes: here each lasts so long.
_MINUTE_SECONDS = 0.5
_POLL_SECONDS = 0.1
_APPROVER = "AKIAAPPROVER"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A plan that is being served. url: where."""

    url: str
    plan: Mapping[str, Any]

    async def fail_over(self, scenario: Scenario, objective_seconds: float) -> Execution:
        """Activate the standby as the scenario's operator does."""
        on_failure: OnFailure = "ungraceful" if scenario.mode == "graceful" else "retry"
        operator = _Operator(self.url, STANDBY, on_failure, objective_seconds)
        if scenario.fault == "operator dies":
            return await asyncio.to_thread(operator.take_over, scenario.mode)
        return await asyncio.to_thread(operator.run, "activate", scenario.mode)

    async def protect(self, recovery: Execution, objective_seconds: float) -> Execution | None:
        """Make the old region the standby of the new one; None if the plan has nothing for that."""
        if workflow_of(self.plan, action=AFTERWARDS, region=PRIMARY) is None:
            return None
        operator = _Operator(self.url, PRIMARY, "retry", objective_seconds)
        return await asyncio.to_thread(operator.run, AFTERWARDS, "graceful", recovery.id)


@contextlib.asynccontextmanager
async def serve(plan: Mapping[str, Any], world: World) -> AsyncIterator[Plan]:
    """Serve a plan, given by its CloudFormation properties without references, over a world."""
    service = RegionSwitch(Blocks(world).executors(), minute_seconds=_MINUTE_SECONDS)
    taken = plan_of_resource(plan)
    service.add(_ARN, taken)
    runner = web.AppRunner(build_app(service))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Plan(url=f"http://127.0.0.1:{runner.addresses[0][1]}", plan=taken)
    finally:
        await runner.cleanup()


class _Operator:
    """Somebody who runs the commands of a recovery."""

    def __init__(self, url: str, region: str, on_failure: OnFailure, objective_seconds: float) -> None:
        self._url, self._region = url, region
        self._client = _client(url, region)
        self._operator = Operator(
            client=self._client,
            plan_arn=_ARN,
            policy=Policy(on_failure=on_failure),
            display=_Unseen(
                objective_seconds=objective_seconds, again="", console=Console(file=io.StringIO())
            ),
            poll_seconds=_POLL_SECONDS,
        )

    def run(self, action: str, mode: Mode, recovery: str | None = None) -> Execution:
        """Start the plan and see it to its end."""
        started = begin(
            self._client,
            _ARN,
            region=self._region,
            mode=mode,
            action=action,
            comment="drill on one machine",
            recovery=recovery,
        )
        return self._see_to_its_end(started)

    def take_over(self, mode: Mode) -> Execution:
        """See to its end what somebody else has started, whose process is killed on the way.

        Raises ServerError if nothing was started.
        """
        other = multiprocessing.get_context("spawn").Process(
            target=_run_elsewhere, args=(self._url, self._region, mode)
        )
        other.start()
        while not self._has_begun():
            if not other.is_alive():
                raise ServerError("the process of the first operator ended by itself")
            time.sleep(_POLL_SECONDS)
        other.kill()
        other.join()
        newest, *_ = history(self._client, _ARN)
        return self._see_to_its_end(newest.id)

    def _see_to_its_end(self, execution_id: str) -> Execution:
        while True:
            execution = self._operator.run(execution_id)
            if execution.state != "pendingManualApproval":
                return execution
            for step in execution.steps:
                if step.status == "pendingApproval":
                    _client(self._url, self._region, _APPROVER).approve_plan_execution_step(
                        planArn=_ARN, executionId=execution_id, stepName=step.name, approval="approve"
                    )

    def _has_begun(self) -> bool:
        """Whether there is an execution, and a step of it is done."""
        for past in history(self._client, _ARN):
            return any(step.ended is not None for step in look(self._client, _ARN, past.id).steps)
        return False


class _Unseen(Display):
    """Shows nothing; an operator who would ask on for ever stops once the stand-in is gone."""

    def silent(self, error: Exception) -> None:
        raise error


def _run_elsewhere(url: str, region: str, mode: Mode) -> None:
    _Operator(url, region, "retry", 0).run("activate", mode)


def _client(url: str, region: str, access_key: str = "AKIAOPERATOR") -> Any:
    return boto3.client(
        "arc-region-switch",
        region_name=region,
        endpoint_url=url,
        aws_access_key_id=access_key,
        aws_secret_access_key="of a drill",  # noqa: S106 (the stand-in checks no signature)
    )
