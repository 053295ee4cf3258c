"""What tasks and pods may do, the VPC's endpoints let through: a permission alone reaches no service."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gatehouse import names

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly, Template

STANDBY = names.standby_stack("")
# The endpoints' services, by the prefix of their actions where it is another than the service's name.
_PREFIXES = {
    "appconfigdata": "appconfig",
    "bedrock-runtime": "bedrock",
    "ecr.api": "ecr",
    "ecr.dkr": "ecr",
    "monitoring": "cloudwatch",
    "sagemaker.runtime": "sagemaker",
}
# Who assumes the roles of tasks and pods.
_PLATFORMS = ("ecs-tasks.amazonaws.com", "pods.eks.amazonaws.com")
# Signing in is a signature that the caller computes: the database and the cache verify it.
_WITHOUT_A_CALL = {"elasticache", "rds-db"}


def test_every_action_of_the_gateway_passes_an_endpoint(assembly: "Assembly") -> None:
    standby = [stack for stack in assembly.templates if stack.startswith(STANDBY)]
    primary = [stack for stack in assembly.templates if not stack.startswith(STANDBY)]
    for network, stacks in (("Network", primary), (f"{STANDBY}Network", standby)):
        if network not in stacks:
            continue
        passing = _actions_of_endpoints(assembly, network)
        assert passing
        wanted = {
            action
            for stack in stacks
            for action in _actions_of_the_gateway(assembly.templates[stack])
            if action.partition(":")[0] not in _WITHOUT_A_CALL
        }
        assert "bedrock:InvokeModel" in wanted
        assert wanted - passing == set(), network


def _actions_of_endpoints(assembly: "Assembly", network: str) -> set[str]:
    passing = set()
    for endpoint in assembly.resources(network, "AWS::EC2::VPCEndpoint").values():
        properties = endpoint["Properties"]
        service = _service(properties["ServiceName"])
        prefix = _PREFIXES.get(service, service)
        actions = {
            action
            for statement in properties["PolicyDocument"]["Statement"]
            for action in _several(statement["Action"])
        }
        assert {action.partition(":")[0] for action in actions} == {prefix}
        passing |= actions
    return passing


def _service(name: Any) -> str:
    text = name if isinstance(name, str) else "".join(map(str, name["Fn::Join"][1]))
    return text.rpartition("amazonaws.")[2].partition(".")[2]


def _actions_of_the_gateway(template: "Template") -> Iterator[str]:
    """The actions that roles of tasks and pods are allowed in a template."""
    resources = template["Resources"]
    roles = {
        logical_id
        for logical_id, resource in resources.items()
        if resource["Type"] == "AWS::IAM::Role"
        and any(service in str(resource["Properties"]["AssumeRolePolicyDocument"]) for service in _PLATFORMS)
    }
    for resource in resources.values():
        if resource["Type"] == "AWS::IAM::Policy":
            if roles.isdisjoint(role["Ref"] for role in resource["Properties"]["Roles"]):
                continue
            for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                yield from _several(statement["Action"])


def _several(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
