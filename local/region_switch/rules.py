"""What Region switch refuses in a plan beyond the types and lengths that botocore checks."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from local.region_switch.blocks import MEMBERS, region_of

# What a workflow does that comes after a recovery.
AFTERWARDS = "postRecovery"
_ACTIONS = {
    "activePassive": {"activate", AFTERWARDS},
    "activeActive": {"activate", "deactivate", AFTERWARDS},
}
# For which workflows a custom action may say where it runs, by whether they are those after a recovery.
_REGIONS_TO_RUN = {
    False: {"activatingRegion", "deactivatingRegion"},
    True: {"activeRegion", "inactiveRegion"},
}
_ONLY_AFTERWARDS = {"RdsCreateCrossRegionReplica"}
_ONLY_ACTIVE_PASSIVE = {"RdsPromoteReadReplica", "RdsCreateCrossRegionReplica"}


def breaches(plan: Mapping[str, Any], shape: Shape) -> Iterator[str]:
    """Everything wrong with a plan in the API's spelling, one line each."""
    yield from _values(plan, shape, "plan")
    approach, regions = plan["recoveryApproach"], set(plan["regions"])
    if approach == "activePassive" and plan.get("primaryRegion") not in regions:
        yield f"primaryRegion {plan.get('primaryRegion')} is not one of {', '.join(sorted(regions))}"
    for workflow in plan["workflows"]:
        action = workflow["workflowTargetAction"]
        if action not in _ACTIONS.get(approach, ()):
            yield f"an {approach} plan has no workflow to {action}"
        if workflow.get("workflowTargetRegion", plan["regions"][0]) not in regions:
            yield f"workflow for {workflow['workflowTargetRegion']}, which is no region of the plan"
        steps = list(steps_of(workflow))
        names = [step["name"] for step in steps]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            yield f"steps of one workflow have the same name: {', '.join(repeated)}"
        for step in steps:
            for problem in _step(step, plan, after_a_recovery=action == AFTERWARDS):
                yield f"step {step['name']}: {problem}"


def steps_of(workflow: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every step of a workflow; those of a parallel block come after the block itself."""
    for step in workflow.get("steps", ()):
        yield step
        yield from steps_of(step["executionBlockConfiguration"].get("parallelConfig", {}))


def _step(step: Mapping[str, Any], plan: Mapping[str, Any], *, after_a_recovery: bool) -> Iterator[str]:
    kind, configuration = step["executionBlockType"], step["executionBlockConfiguration"]
    if kind not in MEMBERS:
        yield f"{kind} is not simulated"
        return
    if list(configuration) != [MEMBERS[kind]]:
        yield f"{kind} takes {MEMBERS[kind]}, not {', '.join(configuration)}"
        return
    (block,) = configuration.values()
    if kind in _ONLY_AFTERWARDS and not after_a_recovery:
        yield f"{kind} belongs into a workflow for {AFTERWARDS}"
    if kind in _ONLY_ACTIVE_PASSIVE and plan["recoveryApproach"] != "activePassive":
        yield f"{kind} belongs into an activePassive plan"
    if block.get("regionToRun", "activatingRegion") not in _REGIONS_TO_RUN[after_a_recovery] and (
        kind == "CustomActionLambda"
    ):
        yield f"regionToRun {block['regionToRun']} is not of {sorted(_REGIONS_TO_RUN[after_a_recovery])}"
    for what, found in _regions(kind, block):
        if sorted(found) != sorted(plan["regions"]):
            yield f"{what} are in {', '.join(found)}, not one in each of {', '.join(plan['regions'])}"


def _regions(kind: str, block: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """The regions of what a block needs in each of the plan's."""
    if kind == "CustomActionLambda":
        yield "lambdas", [region_of(each["arn"]) for each in block["lambdas"]]
    elif kind == "ECSServiceScaling":
        yield "services", [region_of(each["serviceArn"]) for each in block["services"]]
        yield "clusters", [region_of(each["clusterArn"]) for each in block["services"]]
    elif kind == "EKSResourceScaling":
        yield "eksClusters", [region_of(each["clusterArn"]) for each in block.get("eksClusters", ())]
    elif "dbInstanceArnMap" in block:
        yield "keys of dbInstanceArnMap", list(block["dbInstanceArnMap"])
        yield "database instances", [region_of(arn) for arn in block["dbInstanceArnMap"].values()]


def _values(value: Any, shape: Shape, where: str) -> Iterator[str]:
    """Strings that are not of their enumeration or pattern, and unions with another count than one."""
    if isinstance(shape, StructureShape):
        if shape.is_tagged_union and len(value) != 1:
            yield f"{where} has {len(value)} members, not one"
        for name, inner in value.items():
            yield from _values(inner, shape.members[name], f"{where}.{name}")
    elif isinstance(shape, ListShape):
        for number, inner in enumerate(value):
            yield from _values(inner, shape.member, f"{where}[{number}]")
    elif isinstance(shape, MapShape):
        for key, inner in value.items():
            yield from _values(key, shape.key, f"{where}.{key}")
            yield from _values(inner, shape.value, f"{where}.{key}")
    elif isinstance(shape, StringShape):
        yield from _string(value, shape, where)


def _string(value: str, shape: StringShape, where: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield f"{where} is {value!r}, not one of {', '.join(shape.enum)}"
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, value):
        yield f"{where} is {value!r}, which {pattern} does not match"
