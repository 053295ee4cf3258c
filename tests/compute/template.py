"""A template as the tests read it: references are words, the same ones on either platform."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ServiceTemplate:
    """The template of the Service stack."""

    content: Mapping[str, Any]

    def resources(self, resource_type: str) -> dict[str, Mapping[str, Any]]:
        """Logical ID → properties."""
        found = self.content["Resources"].items()
        return {name: each.get("Properties", {}) for name, each in found if each["Type"] == resource_type}

    def only(self, resource_type: str) -> Mapping[str, Any]:
        """The properties of the one resource of a type."""
        (properties,) = self.resources(resource_type).values()
        return properties

    def named(self, reference: Any) -> Mapping[str, Any]:
        """The properties of the resource that a Ref or Fn::GetAtt is about."""
        ((function, argument),) = reference.items()
        logical_id = argument if function == "Ref" else argument[0]
        properties: Mapping[str, Any] = self.content["Resources"][logical_id]["Properties"]
        return properties

    def depends_on(self, logical_id: str) -> set[str]:
        """What has to be there before a resource: what it depends on or refers to, and what these do."""
        resources = self.content["Resources"]
        found: set[str] = set()
        waiting = [logical_id]
        while waiting:
            resource = resources[waiting.pop()]
            near = {*resource.get("DependsOn", []), *_references(resource.get("Properties", {}))}
            new = (near & resources.keys()) - found
            found |= new
            waiting += new
        return found

    def text(self, value: Any) -> str:
        """A string with `${...}` for each of its references: a resource by its type, not by its ID."""
        if not isinstance(value, Mapping):
            return str(value)
        ((function, argument),) = value.items()
        if function == "Fn::Join":
            separator, parts = argument
            return str(separator).join(self.text(part) for part in parts)
        if function == "Fn::Sub":
            return str(argument)
        if function == "Fn::GetAtt":
            return f"${{{self._type(argument[0])}.{argument[1]}}}"
        if function == "Ref":
            return f"${{{self._type(argument)}}}"
        return f"${{{function}:{argument if isinstance(argument, str) else json.dumps(argument)}}}"

    def plain(self, value: Any) -> Any:
        """A value of properties with each intrinsic function as its text."""
        if isinstance(value, list):
            return [self.plain(each) for each in value]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1 and re.match(r"Ref$|Fn::", next(iter(value))):
            return self.text(value)
        return {key: self.plain(each) for key, each in value.items()}

    def statements(self, role_id: str) -> set[tuple[str, str, str]]:
        """What a role may do: (action, resource, condition), each by itself."""
        policies = (
            policy
            for policy in self.resources("AWS::IAM::Policy").values()
            if {"Ref": role_id} in policy["Roles"]
        )
        return {
            (action, resource, json.dumps(statement.get("Condition", {}), sort_keys=True))
            for policy in policies
            for statement in self.plain(policy["PolicyDocument"])["Statement"]
            for action in _listed(statement["Action"])
            for resource in _listed(statement["Resource"])
        }

    def _type(self, logical_id: str) -> str:
        return str(self.content["Resources"].get(logical_id, {"Type": logical_id})["Type"])


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _references(each)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            if key == "Ref":
                yield each
            elif key == "Fn::GetAtt":
                yield each[0]
            else:
                yield from _references(each)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
