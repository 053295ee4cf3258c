"""The little of Region switch that a deployment asks for: plans, and the health checks of their records."""

import json
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from ministack.core.responses import get_account_id, new_uuid

from local.emulator.asgi import Application, Receive, Scope, Send, answer, body, header
from local.region_switch.plan import Plan, plan_of_resource, service_model

Properties = dict[str, Any]
_LIST = "ListRoute53HealthChecksInRegion"


class RegionSwitch:
    """The plans of all accounts, by ARN, each with the ID of the health check that each region has."""

    def __init__(self) -> None:
        self._plans: dict[str, tuple[Plan, dict[str, str]]] = {}

    def register(self, provisioners: ModuleType) -> None:
        """Add a handler to MiniStack's table. Raises RuntimeError when it has learnt the type itself."""
        handlers: dict[str, dict[str, Any]] = provisioners._RESOURCE_HANDLERS
        if "AWS::ARCRegionSwitch::Plan" in handlers:
            raise RuntimeError(f"MiniStack provides plans itself: remove {__file__}")
        handlers["AWS::ARCRegionSwitch::Plan"] = {
            "create": self._create,
            "update": self._update,
            "delete": self._delete,
        }

    def in_front_of(self, app: Application) -> Application:
        """The emulator's ASGI application, with Region switch's API before it."""
        prefix = service_model().metadata["targetPrefix"]

        async def front(scope: Scope, receive: Receive, send: Send) -> None:
            service, _, operation = header(scope, b"x-amz-target").partition(".")
            if service != prefix:
                await app(scope, receive, send)
                return
            if operation != _LIST:
                await answer(
                    send, 400, f'{{"__type": "ValidationException", "message": "no {operation} here"}}'
                )
                return
            request = json.loads(await body(receive))
            await answer(send, 200, json.dumps({"healthChecks": self._health_checks(request)}))

        return front

    def _health_checks(self, request: Mapping[str, str]) -> list[dict[str, str]]:
        _, checks = self._plans.get(request["arn"], ({}, {}))
        record = {name: request[name] for name in ("hostedZoneId", "recordName")}
        return [{**record, "region": region, "healthCheckId": check} for region, check in checks.items()]

    def _create(self, _logical_id: str, properties: Properties, _stack: str) -> tuple[str, dict[str, str]]:
        """Raises PlanError for a plan that the service would refuse."""
        plan = plan_of_resource(properties)
        arn = f"arn:aws:arc-region-switch::{get_account_id()}:plan/{plan['name']}:{new_uuid()[:6]}"
        self._plans[arn] = plan, {region: new_uuid() for region in plan["regions"]}
        return arn, {"Arn": arn}

    def _update(self, arn: str, _old: Properties, new: Properties, _stack: str) -> tuple[str, dict[str, str]]:
        self._plans[arn] = plan_of_resource(new), self._plans[arn][1]
        return arn, {"Arn": arn}

    def _delete(self, arn: str, _properties: Properties) -> None:
        self._plans.pop(arn, None)
