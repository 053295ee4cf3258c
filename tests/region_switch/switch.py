"""A client of the stand-in of Region switch, and what the blocks of its plans do."""

from typing import Any

import boto3

from local.region_switch.blocks import Block, BlockError
from tests.region_switch.plans import ARN, STANDBY


class World:
    """What the blocks did, and which of them fail: how often, or always if that is None."""

    def __init__(self) -> None:
        self.did: list[Block] = []
        self.failing: dict[str, int | None] = {}

    async def run(self, block: Block) -> None:
        """Do what the block is for."""
        left = self.failing.get(block.step, 0)
        if left is None or left:
            self.failing[block.step] = None if left is None else left - 1
            raise BlockError(f"{block.step} failed")
        self.did.append(block)


class Switch:
    """A client of the stand-in, in the standby's region unless told."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.client = self.client_of("AKIAOPERATOR")

    def client_of(self, access_key: str, *, region: str = STANDBY) -> Any:
        """The client of somebody."""
        return boto3.client(
            "arc-region-switch",
            region_name=region,
            endpoint_url=self._url,
            aws_access_key_id=access_key,
            aws_secret_access_key="example",
        )

    def start(self, **more: Any) -> str:
        """Begin to activate the standby; the execution's ID."""
        arguments = {"planArn": ARN, "targetRegion": STANDBY, "action": "activate"} | more
        answer = self.client.start_plan_execution(**arguments)
        assert answer["activateRegion"] == arguments["targetRegion"]
        return str(answer["executionId"])

    def until(self, execution: str, *states: str) -> dict[str, Any]:
        """The execution, once it is in one of these states."""
        while True:
            answer: dict[str, Any] = self.client.get_plan_execution(planArn=ARN, executionId=execution)
            if answer["executionState"] in states:
                return answer

    def events(self, execution: str) -> list[dict[str, Any]]:
        """Its events, the oldest first."""
        items = self.client.list_plan_execution_events(planArn=ARN, executionId=execution)["items"]
        return list(reversed(items))
