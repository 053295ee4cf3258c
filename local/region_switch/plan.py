"""Plans, as CloudFormation and the API describe them."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

from local.region_switch.rules import breaches

Plan = Mapping[str, Any]
Step = Mapping[str, Any]


class PlanError(ValueError):
    """A plan that the service would refuse; the message says what is wrong with it."""


@cache
def service_model() -> ServiceModel:
    """What botocore knows of the service."""
    return botocore.session.get_session().get_service_model("arc-region-switch")


def plan_of_resource(properties: Mapping[str, Any]) -> Plan:
    """The plan of an `AWS::ARCRegionSwitch::Plan` whose references are resolved.

    Raises PlanError with all that the API's `CreatePlan` would refuse in it.
    """
    shape = service_model().operation_model("CreatePlan").input_shape
    plan: dict[str, Any] = _as_api(properties, shape)
    report = ParamValidator().validate(plan, shape)
    if report.has_errors():
        raise PlanError(report.generate_report())
    if problems := list(breaches(plan, shape)):
        raise PlanError("\n".join(problems))
    return plan


def workflow_of(plan: Plan, *, action: str, region: str) -> Mapping[str, Any] | None:
    """The workflow for an action in a region; one that names no region serves them all."""
    for workflow in plan["workflows"]:
        serves = workflow.get("workflowTargetRegion", region)
        if workflow["workflowTargetAction"] == action and serves == region:
            found: Mapping[str, Any] = workflow
            return found
    return None


def _as_api(value: Any, shape: Shape) -> Any:
    """CloudFormation's spelling of names turned into the API's, which differs in capitals alone."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return dict(_members_as_api(value, shape))
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_as_api(inner, shape.member) for inner in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {key: _as_api(inner, shape.value) for key, inner in value.items()}
    return value


def _members_as_api(value: Mapping[str, Any], shape: StructureShape) -> Iterator[tuple[str, Any]]:
    members = {name.lower(): name for name in shape.members}
    for given, inner in value.items():
        if given == "Tags":
            continue
        name = members.get(given.lower(), given)
        yield name, _as_api(inner, shape.members[name]) if name in shape.members else inner
