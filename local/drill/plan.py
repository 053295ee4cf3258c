"""The plan of a synthesized environment, with the references of its template resolved."""

from collections.abc import Mapping
from typing import Any

from operations.assembly import Resource, Stack

_PLAN = "AWS::ARCRegionSwitch::Plan"


def plan_of(stacks: Mapping[str, Stack]) -> Mapping[str, Any]:
    """The properties of the one plan that an environment has. Raises ValueError if it has none."""
    for stack in stacks.values():
        for plan in stack.of_type(_PLAN):
            resolved: Mapping[str, Any] = _Resolver(stack).resolve(plan.properties)
            return resolved
    raise ValueError(
        "no stack has a plan of Region switch: the environment has no standby that runs gateways"
    )


class _Resolver:
    """Gives references the values that they have once the stack is deployed, as far as a plan needs them."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._pseudo = {
            "AWS::AccountId": stack.account,
            "AWS::Partition": "aws",
            "AWS::Region": stack.region,
        }

    def resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.resolve(each) for each in value]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref":
                return self._pseudo.get(argument, argument)
            if name == "Fn::Join":
                separator, parts = argument
                return separator.join(self.resolve(parts))
            if name == "Fn::GetAtt":
                return self._attribute(*argument)
            if name.startswith("Fn::"):
                raise ValueError(f"a plan of Region switch holds {name}, which nothing here resolves")
        return {name: self.resolve(each) for name, each in value.items()}

    def _attribute(self, logical_id: str, attribute: str) -> str:
        resource = self._stack.resources[logical_id]
        if (resource.type, attribute) != ("AWS::IAM::Role", "Arn"):
            raise ValueError(f"a plan of Region switch holds {resource.type}.{attribute}, which is not known")
        return f"arn:aws:iam::{self._stack.account}:role/{self._role_name(resource, logical_id)}"

    def _role_name(self, role: Resource, logical_id: str) -> str:
        return str(role.properties.get("RoleName", logical_id))
