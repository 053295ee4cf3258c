"""Two regions for the recovery commands: Region switch is the stand-in, all else answers what a test says."""

from __future__ import annotations

import asyncio
import datetime
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from unittest.mock import Mock

import boto3
from aiohttp import web

from gatehouse.recovery.steps import ACTIVATE, APPROVE, PROTECT, Part, Together
from local.region_switch.blocks import Block, BlockError
from local.region_switch.plan import plan_of_resource
from local.region_switch.server import build_app
from local.region_switch.service import RegionSwitch
from operations.recovery import reach

PRIMARY, STANDBY, ACCOUNT = "us-east-1", "us-west-2", "333333333333"
ARN = f"arn:aws:arc-region-switch::{ACCOUNT}:plan/gatehouse-prod:a1b2c3"
APPROVER = f"arn:aws:iam::{ACCOUNT}:role/approver"
# What a hook gives in place of an answer, to let the request go on to its endpoint.
Answer = Mapping[str, Any] | None


def plan_properties(*, approval: bool = False) -> dict[str, Any]:
    """A plan with the steps of the platform's, each of which is a function here."""
    activate = [part for part in ACTIVATE if part != APPROVE or approval]
    return {
        "Name": "gatehouse-prod",
        "Regions": [PRIMARY, STANDBY],
        "PrimaryRegion": PRIMARY,
        "RecoveryApproach": "activePassive",
        "ExecutionRole": f"arn:aws:iam::{ACCOUNT}:role/recovery",
        "Workflows": [
            *(
                {
                    "WorkflowTargetAction": "activate",
                    "WorkflowTargetRegion": region,
                    "Steps": [_step(part, "activatingRegion") for part in activate],
                }
                for region in (PRIMARY, STANDBY)
            ),
            {
                "WorkflowTargetAction": "postRecovery",
                "Steps": [_step(part, "inactiveRegion") for part in PROTECT],
            },
        ],
    }


def _step(part: Part, region_to_run: str) -> dict[str, Any]:
    if isinstance(part, Together):
        inner = [_step(step, region_to_run) for step in part.steps]
        return _block(part.name, "Parallel", {"ParallelConfig": {"Steps": inner}})
    if part == APPROVE:
        return _block(part.name, "ManualApproval", {"ExecutionApprovalConfig": {"ApprovalRole": APPROVER}})
    function = {
        "Lambdas": [
            {"Arn": f"arn:aws:lambda:{region}:{ACCOUNT}:function:{part.name}"}
            for region in (PRIMARY, STANDBY)
        ],
        "RegionToRun": region_to_run,
        "RetryIntervalMinutes": 1,
        **({"Ungraceful": {"Behavior": "skip"}} if part.forced_skips else {}),
    }
    return _block(part.name, "CustomActionLambda", {"CustomActionLambdaConfig": function})


def _block(name: str, kind: str, configuration: Mapping[str, Any]) -> dict[str, Any]:
    return {"Name": name, "ExecutionBlockType": kind, "ExecutionBlockConfiguration": configuration}


@dataclass
class World:
    """What either region says; tests change it.

    lag: seconds that the replica of a region is behind, at each of the last minutes, of which the newest was
    lag_age_seconds ago; none where there is no replica. gateways: what /health/live gives. silent: regions
    whose services answer 503. answers: by operation, what services say, or the code with which they refuse.
    failing: how often each step fails. gates: what a step waits for. before: by operation and region, the
    code of a fault. sent_to: likewise, the URL of another server that gets the request. asked: every
    operation that was called, with its service and region.
    """

    service: RegionSwitch
    url: str = ""
    lag: dict[str, list[float]] = field(default_factory=lambda: {STANDBY: [1.0, 1.5]})
    gateways: dict[str, reach.Health] = field(
        default_factory=lambda: {PRIMARY: "healthy", STANDBY: "healthy"}
    )
    lag_age_seconds: float = 0
    account: str = ACCOUNT
    silent: set[str] = field(default_factory=set)
    answers: dict[str, Any] = field(default_factory=dict)
    failing: dict[str, int] = field(default_factory=dict)
    gates: dict[str, threading.Event] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    did: list[str] = field(default_factory=list)
    before: Callable[[str, str], str | None] = lambda _operation, _region: None
    sent_to: Callable[[str, str], str | None] = lambda _operation, _region: None

    async def run(self, block: Block) -> None:
        """A step: it waits at its gate, fails as often as it should, or does what it is for."""
        gate = self.gates.get(block.step)
        if gate is not None:
            await asyncio.to_thread(gate.wait)
        if self.failing.get(block.step, 0):
            self.failing[block.step] -= 1
            raise BlockError(f"{block.step} is out of order")
        self.did.append(block.step)
        if block.step == "promote-database":
            self.lag.pop(block.activating, None)
        elif block.step == "fence-old-region" and block.action == "activate" and block.deactivating:
            self.gateways[block.deactivating] = "no answer"
        elif block.step == "recreate-replica" and block.deactivating:
            self.lag[block.deactivating] = [2.0, 1.0]
        elif block.step == "stand-by" and block.deactivating:
            self.gateways[block.deactivating] = "healthy"

    def answer(self, model: Any, params: dict[str, Any], request_signer: Any, **_: Any) -> Any:
        """botocore's `before-call`: what it returns is the answer; None sends the request."""
        service, operation = model.service_model.service_name, model.name
        region = request_signer.region_name
        self.asked.append((service, region, operation))
        if url := self.sent_to(operation, region):
            params["url"] = url
            return None
        code = self.before(operation, region)
        if code is None and region in self.silent:
            code = "ServiceUnavailable"
        if code is None and service == "arc-region-switch" and operation not in self.answers:
            return None
        found = code or self._said(operation, region, params)
        if isinstance(found, str):
            status = 503 if found == "ServiceUnavailable" else 400
            error = {"Code": found, "Message": "said the test"}
            return Mock(status_code=status), {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}
        return Mock(status_code=200), found

    def _said(self, operation: str, region: str, params: Mapping[str, Any]) -> Any:
        if operation in self.answers:
            return self.answers[operation]
        if operation == "GetCallerIdentity":
            return {"Account": self.account}
        if operation == "GetMetricData":
            return self._metrics(region, params)
        if operation == "PutObject":
            self.objects[params["url_path"]] = _bytes(params["body"])
            return {}
        if operation == "ListObjectsV2":
            return {"Contents": [{"Key": path.lstrip("/")} for path in self.objects]}
        if operation == "GetObject":
            return {"Body": BytesIO(self.objects[params["url_path"]])}
        raise AssertionError(f"no test says what {operation} answers")

    def _metrics(self, region: str, params: Mapping[str, Any]) -> Any:
        if b"ReplicaLag" not in _bytes(params["body"]):
            return self.answers.get("replication", {"MetricDataResults": []})
        now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=self.lag_age_seconds)
        values = self.lag.get(region, [])
        moments = [now - datetime.timedelta(minutes=n) for n in range(len(values))]
        series = {"Id": "lag", "Timestamps": moments[::-1], "Values": values}
        return {"MetricDataResults": [series]}

    def health(self, url: str) -> reach.Health:
        """What /health/live gives at a region's own name."""
        return next(health for region, health in self.gateways.items() if region in url)

    def executions(self) -> list[Any]:
        """Those of the plan, the oldest first."""
        return self.service.executions[ARN]


def _bytes(body: Any) -> bytes:
    if isinstance(body, dict):
        return json.dumps(body).encode()
    return body if isinstance(body, bytes) else bytes(body.read())


class Server:
    """Serves Region switch for one world after the other; clients are made once, as that takes longest."""

    def __init__(self) -> None:
        self._executors: dict[str, Any] = {}
        self._service = RegionSwitch(self._executors)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._clients: dict[tuple[str, str, float | None], Any] = {}
        self.world = World(self._service)
        self.url = ""

    def __enter__(self) -> Server:
        self._thread.start()
        self._runner = self._run(self._start())
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._session = boto3.Session(aws_access_key_id="AKIAOPERATOR", aws_secret_access_key="example")
        self._session.events.register("before-call", lambda **asked: self.world.answer(**asked))
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def begin(self, *, approval: bool) -> World:
        """A world in which nothing has happened yet."""
        self.world = World(self._service, url=self.url)
        self._executors["CustomActionLambda"] = self.world.run
        self._service.plans.clear()
        self._service.add(ARN, plan_of_resource(plan_properties(approval=approval)))
        return self.world

    def end(self) -> None:
        """Let nothing of a world go on."""
        for gate in self.world.gates.values():
            gate.set()
        self._run(self._service.close())

    def client(self, service: str, *, region_name: str, config: Any = None) -> Any:
        """A client of boto3 that asks the world there is, as `boto3.Session` makes it."""
        kind = (service, region_name, config and config.read_timeout)
        if kind not in self._clients:
            switch = {"endpoint_url": self.url} if service == "arc-region-switch" else {}
            self._clients[kind] = self._session.client(
                service, region_name=region_name, config=config, **switch
            )
        return self._clients[kind]

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _start(self) -> web.AppRunner:
        runner = web.AppRunner(build_app(self._service))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner


def times(count: int, code: str, operation: str) -> Callable[[str, str], str | None]:
    """A fault that the first `count` requests of an operation meet."""
    left = [count]

    def fault(asked: str, _region: str) -> str | None:
        if asked != operation or not left[0]:
            return None
        left[0] -= 1
        return code

    return fault
