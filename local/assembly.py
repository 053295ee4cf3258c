"""Reads a synthesized cloud assembly: its stacks and the images they need."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack of the assembly, and where it is deployed."""

    name: str
    account: str
    region: str
    construct_path: str
    template: dict[str, Any]

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """Logical ID → resource, as synthesized."""
        resources: dict[str, dict[str, Any]] = self.template["Resources"]
        return resources


@dataclass(frozen=True, kw_only=True)
class Image:
    """A container image that a stack expects in ECR."""

    repository: str
    tag: str


def read_stacks(directory: Path) -> list[Stack]:
    """Every stack of an assembly, nested assemblies (stages) included."""
    return [
        Stack(
            name=artifact["properties"]["stackName"],
            account=artifact["environment"].split("/")[2],
            region=artifact["environment"].split("/")[3],
            construct_path=artifact["displayName"],
            template=_json(folder / artifact["properties"]["templateFile"]),
        )
        for folder, artifact in _artifacts(directory, "aws:cloudformation:stack")
    ]


def read_images(directory: Path) -> set[Image]:
    """Every image the assembly's stacks expect to find, by where they expect it."""
    return {
        Image(repository=destination["repositoryName"], tag=destination["imageTag"])
        for folder, artifact in _artifacts(directory, "cdk:asset-manifest")
        for image in _json(folder / artifact["properties"]["file"]).get("dockerImages", {}).values()
        for destination in image["destinations"].values()
    }


def _artifacts(directory: Path, kind: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    for artifact in _json(directory / "manifest.json")["artifacts"].values():
        if artifact["type"] == "cdk:cloud-assembly":
            yield from _artifacts(directory / artifact["properties"]["directoryName"], kind)
        elif artifact["type"] == kind:
            yield directory, artifact


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content
