"""Reads one environment from a synthesized cloud assembly: its stacks, and the images that they need."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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

    account, region: where it is deployed, as `deployed_name`. path: of the construct, as the CDK CLI takes
    it. template_bytes: the size of its template as CloudFormation gets it. metadata: what the stack itself
    carries beside its template, by kind.
    """

    name: str
    after: tuple[str, ...]
    resources: dict[str, Resource]
    account: str = ""
    region: str = ""
    deployed_name: str = ""
    path: str = ""
    template_bytes: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def of_type(self, resource_type: str) -> list[Resource]:
        """Return the resources of one type."""
        return [resource for resource in self.resources.values() if resource.type == resource_type]


@dataclass(frozen=True)
class Image:
    """A container image that a stack expects in Amazon ECR."""

    repository: str
    tag: str


def read_stacks(assembly: Path) -> dict[str, Stack]:
    """Read the stacks of the one stage in a cloud assembly, in the order of their names."""
    directory = _stage_directory(assembly)
    stacks = dict(_artifacts(directory, "aws:cloudformation:stack"))
    names = {artifact_id: stack["displayName"].rpartition("/")[2] for artifact_id, stack in stacks.items()}
    found = (_stack(directory, stack, names) for stack in stacks.values())
    return {stack.name: stack for stack in sorted(found, key=lambda stack: stack.name)}


def read_images(assembly: Path) -> set[Image]:
    """Read which images the stacks of the one stage expect, and where."""
    directory = _stage_directory(assembly)
    return {
        Image(destination["repositoryName"], destination["imageTag"])
        for _, artifact in _artifacts(directory, "cdk:asset-manifest")
        for image in _json(directory / artifact["properties"]["file"]).get("dockerImages", {}).values()
        for destination in image["destinations"].values()
    }


def stage_names(assembly: Path) -> list[str]:
    """Read which stages a cloud assembly holds, such as gatehouse-prod."""
    return [stage["displayName"] for stage in _stages(assembly)]


def _stages(assembly: Path) -> list[dict[str, Any]]:
    return [stage["properties"] for _, stage in _artifacts(assembly, "cdk:cloud-assembly")]


def _stage_directory(assembly: Path) -> Path:
    (stage,) = _stages(assembly)
    return assembly / str(stage["directoryName"])


def _artifacts(directory: Path, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for artifact_id, artifact in _json(directory / "manifest.json")["artifacts"].items():
        if artifact["type"] == kind:
            yield artifact_id, artifact


def _metadata(directory: Path, artifact: dict[str, Any]) -> dict[str, Any]:
    metadata = _json(directory / artifact["additionalMetadataFile"])
    entries = metadata.get(f"/{artifact['displayName']}", ())
    return {entry["type"]: entry["data"] for entry in entries}


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
        deployed_name=artifact["properties"]["stackName"],
        path=artifact["displayName"],
        template_bytes=len(text),
        metadata=_metadata(directory, artifact),
    )


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
