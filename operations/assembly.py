"""Reads the stacks of one environment from a synthesized cloud assembly."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Resource:
    """A resource of a template."""

    type: str
    properties: dict[str, Any]


@dataclass(frozen=True)
class Stack:
    """A stack by its construct ID, the IDs of the stacks it deploys after, and its resources.

    account, region: where it is deployed. template_bytes: the size of its template as CloudFormation gets it.
    """

    name: str
    after: tuple[str, ...]
    resources: dict[str, Resource]
    account: str = ""
    region: str = ""
    template_bytes: int = 0

    def of_type(self, resource_type: str) -> list[Resource]:
        """Return the resources of one type."""
        return [resource for resource in self.resources.values() if resource.type == resource_type]


def read_stacks(assembly: Path) -> dict[str, Stack]:
    """Read the stacks of the one stage in a cloud assembly, in the order of their names."""
    (stage,) = _stages(assembly)
    directory = assembly / stage["directoryName"]
    stacks = dict(_artifacts(directory, "aws:cloudformation:stack"))
    names = {artifact_id: stack["displayName"].rpartition("/")[2] for artifact_id, stack in stacks.items()}
    found = (_stack(directory, stack, names) for stack in stacks.values())
    return {stack.name: stack for stack in sorted(found, key=lambda stack: stack.name)}


def stage_names(assembly: Path) -> list[str]:
    """Read which stages a cloud assembly holds, such as gatehouse-prod."""
    return [stage["displayName"] for stage in _stages(assembly)]


def _stages(assembly: Path) -> list[dict[str, Any]]:
    return [stage["properties"] for _, stage in _artifacts(assembly, "cdk:cloud-assembly")]


def _artifacts(directory: Path, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    manifest = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    for artifact_id, artifact in manifest["artifacts"].items():
        if artifact["type"] == kind:
            yield artifact_id, artifact


def _stack(directory: Path, artifact: dict[str, Any], names: dict[str, str]) -> Stack:
    text = (directory / artifact["properties"]["templateFile"]).read_bytes()
    # aws://111111111111/us-east-1
    account, region = artifact["environment"].removeprefix("aws://").split("/")
    return Stack(
        name=artifact["displayName"].rpartition("/")[2],
        after=tuple(sorted(names[id_] for id_ in artifact.get("dependencies", []) if id_ in names)),
        resources={
            logical_id: Resource(resource["Type"], resource.get("Properties", {}))
            for logical_id, resource in json.loads(text)["Resources"].items()
        },
        account=account,
        region=region,
        template_bytes=len(text),
    )
