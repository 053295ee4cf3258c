from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import aws_cdk as cdk
import pytest

from stacks.config.compute import Compute
from stacks.config.files import environment_names
from stacks.config.load import load_configuration
from stacks.config.model import Environment
from stacks.platform import Platform
from tests.compute.ecs_view import view_of_tasks
from tests.compute.eks_view import view_of_pods
from tests.compute.template import ServiceTemplate
from tests.compute.view import View
from tests.stacks.conftest import read_assembly
from tests.synthesis import FLAGS

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly

ComputePlatform = Literal["ecs", "eks"]
PLATFORMS: tuple[ComputePlatform, ...] = ("ecs", "eks")
_READERS: dict[str, Callable[[ServiceTemplate], View]] = {"ecs": view_of_tasks, "eks": view_of_pods}


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """An environment on one of the platforms, be it the configured one or not."""

    environment: str
    config: Environment
    assembly: "Assembly"
    template: ServiceTemplate
    view: View


def on_platform(config: Environment, platform: ComputePlatform) -> Environment:
    """The environment with another platform, and without what that one does not have."""
    service = config.service.model_copy(update={"canary_percent": 0, "spot_percent": 0})
    return config.model_copy(update={"compute": Compute(platform=platform), "service": service})


@pytest.fixture(scope="session")
def deployments(
    synthesized: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, ComputePlatform], Deployed]:
    """Give an environment on a platform: synthesized once, as configured or as it would be there."""

    @cache
    def deployed(environment: str, platform: ComputePlatform) -> Deployed:
        config, catalog = load_configuration(environment)
        if config.compute.platform == platform:
            folder = synthesized(environment)
        else:
            folder = tmp_path_factory.mktemp(f"{environment}-{platform}")
            config = on_platform(config, platform)
            app = cdk.App(
                context=dict(FLAGS),
                outdir=str(folder),
                analytics_reporting=False,
                builtin_cloud_formation_validation=False,
                tree_metadata=False,
            )
            Platform(app, config=config, catalog=catalog)
            app.synth()
        assembly = read_assembly(environment, folder)
        template = ServiceTemplate(assembly.templates["Service"])
        return Deployed(
            environment=environment,
            config=config,
            assembly=assembly,
            template=template,
            view=_READERS[platform](template),
        )

    return deployed


@pytest.fixture(params=environment_names())
def environment(request: pytest.FixtureRequest) -> str:
    """Each environment."""
    name: str = request.param
    return name


@pytest.fixture(params=PLATFORMS)
def deployed(
    environment: str,
    request: pytest.FixtureRequest,
    deployments: Callable[[str, ComputePlatform], Deployed],
) -> Deployed:
    """Each environment on each platform."""
    return deployments(environment, request.param)
