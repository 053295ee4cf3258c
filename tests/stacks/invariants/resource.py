"""What an invariant looks at: one resource of one template."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gatehouse import names

Template = Mapping[str, Any]
# Keys of ours, and the copies that another region has of them.
KEYS = {"AWS::KMS::Key", "AWS::KMS::ReplicaKey"}


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource, and the template that holds it under `logical_id`; `stack` is the stack's short name."""

    stack: str
    logical_id: str
    template: Template

    @property
    def kind(self) -> str:
        """The stack's name, which it has in the primary region as well where it is the standby's."""
        return self.stack.removeprefix(names.standby_stack(""))

    @property
    def definition(self) -> Mapping[str, Any]:
        definition: Mapping[str, Any] = self.template["Resources"][self.logical_id]
        return definition

    @property
    def type(self) -> str:
        return str(self.definition["Type"])

    @property
    def properties(self) -> Mapping[str, Any]:
        properties: Mapping[str, Any] = self.definition.get("Properties", {})
        return properties

    def siblings(self, resource_type: str) -> list[Mapping[str, Any]]:
        """The properties of the template's resources of a type."""
        return [
            other.get("Properties", {})
            for other in self.template["Resources"].values()
            if other["Type"] == resource_type
        ]


# Yields what is wrong with a resource, in words; nothing where it does not apply.
Check = Callable[[Resource], Iterator[str]]


def violations(templates: Mapping[str, Template], check: Check) -> list[str]:
    """What a check finds in all resources of all templates, each with its place before it."""
    return [
        f"{stack}/{logical_id}: {wrong}"
        for stack, template in templates.items()
        for logical_id in template["Resources"]
        for wrong in check(Resource(stack=stack, logical_id=logical_id, template=template))
    ]


def listed(value: Any) -> list[Any]:
    """A value of a property that takes one or a list."""
    return value if isinstance(value, list) else [value]


def strings(value: Any) -> Iterator[str]:
    """Every string in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
