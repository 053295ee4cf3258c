import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import cx_api

from stacks.config.files import environment_names

Template = dict[str, Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-snapshots", action="store_true", help="Write tests/stacks/snapshots anew.")


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """One environment's cloud assembly: its folder, and its templates by stack (`Keys`, `Data`, ...)."""

    environment: str
    directory: Path
    templates: Mapping[str, Template]

    def resources(self, stack: str, resource_type: str) -> dict[str, Any]:
        found = self.templates[stack]["Resources"].items()
        return {logical_id: resource for logical_id, resource in found if resource["Type"] == resource_type}


def read_assembly(environment: str, directory: Path) -> Assembly:
    stage = cx_api.CloudAssembly(str(directory)).get_nested_assembly(f"assembly-gatehouse-{environment}")
    prefix = f"gatehouse-{environment}-"
    templates = {
        stack.stack_name.removeprefix(prefix): json.loads(
            Path(stack.template_full_path).read_text(encoding="utf-8")
        )
        for stack in stage.stacks
    }
    return Assembly(environment=environment, directory=directory, templates=templates)


@pytest.fixture(scope="session")
def assemblies(synthesized: Callable[[str], Path]) -> Callable[[str], Assembly]:
    """Give an environment's assembly by name."""
    return cache(lambda environment: read_assembly(environment, synthesized(environment)))


@pytest.fixture(params=environment_names())
def assembly(request: pytest.FixtureRequest, assemblies: Callable[[str], Assembly]) -> Assembly:
    return assemblies(request.param)


@pytest.fixture
def development(assemblies: Callable[[str], Assembly]) -> Assembly:
    return assemblies("dev")


@pytest.fixture
def production(assemblies: Callable[[str], Assembly]) -> Assembly:
    return assemblies("prod")
