"""An AWS of its own for each test: the Bedrock simulator's STS, in this process."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from gateway.catalog import Catalog
from local.bedrock_simulator.scenario import parse_scenario
from local.bedrock_simulator.server import build_app
from local.bedrock_simulator.simulator import Simulator

MakeCatalog = Callable[..., Catalog]


@pytest.fixture
def simulator() -> Simulator:
    """Account 111111111111 with the access key AKIDOWN, which may assume roles of two other accounts."""
    role: dict[str, Any] = {"name": "models"}
    return Simulator(
        parse_scenario(
            {
                "unknown_access_keys": "reject",
                "accounts": [
                    {"id": "111111111111", "access_keys": {"AKIDOWN": "own-secret"}},
                    {
                        "id": "222222222222",
                        "roles": [role, {"name": "asking", "external_id": "gatehouse-prod"}],
                    },
                    {
                        "id": "333333333333",
                        "roles": [
                            {"name": "models", "session_seconds": 30},
                            {"name": "next", "session_seconds": 30},
                        ],
                    },
                ],
                "models": [
                    {"id": "amazon.nova-lite-v1:0", "family": "nova", "regions": ["us-east-1"]},
                ],
            }
        )
    )


@pytest.fixture
async def simulator_url(simulator: Simulator) -> AsyncIterator[str]:
    """Where the simulator listens."""
    runner = web.AppRunner(build_app(simulator))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


@pytest.fixture
def catalog_with() -> MakeCatalog:
    """Makes a catalog of one deployment for each role; None is the gateway's own."""

    def make(*roles: str | None) -> Catalog:
        deployments = [
            {
                "name": f"nova-{number}",
                "provider": "bedrock",
                "region": "us-east-1",
                "model_id": "amazon.nova-lite-v1:0",
                "role_arn": role,
            }
            for number, role in enumerate(roles)
        ]
        return Catalog.model_validate({"models": [{"name": "nova", "deployments": deployments}]})

    return make
