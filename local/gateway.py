"""The gateway and the Bedrock simulator as child processes."""

import json
import sys

from gateway.settings import variable
from local.addresses import Mapped
from local.options import ROOT, Options
from local.passwords import Passwords
from local.processes import Child, Children, basic_environment, wait_until
from local.ready import get
from local.task import Task
from local.task_credentials import CredentialsEndpoint

# The gateway welcomes requests without its cache and database; this platform is up only when it reaches both.
_READY = {"status": "ready", "cache": "reachable", "database": "reachable"}


def start_bedrock(children: Children, options: Options) -> Child:
    """Start the Bedrock simulator and wait until it answers."""
    command = [sys.executable, "-m", "local.bedrock_simulator", "--port", str(options.ports["bedrock"])]
    child = children.start("bedrock", command, {**basic_environment(), "PYTHONPATH": str(ROOT)})
    wait_until(child, lambda: get(f"{options.url('bedrock')}/_simulator/state") is not None, 30)
    return child


def gateway_environment(
    task: Task,
    mapped: list[Mapped],
    credentials: CredentialsEndpoint,
    region: str,
    passwords: Passwords,
) -> dict[str, str]:
    """Exactly what the deployed task gets, but for the mapped addresses, plus what ECS itself adds.

    The passwords stand in for the tokens with which the deployed task signs in to its database and cache.
    """
    basics = {name: value for name, value in basic_environment().items() if name in ("PATH", "LANG")}
    from_ecs = {"AWS_REGION": region, "AWS_CONTAINER_AUTHORIZATION_TOKEN": credentials.token}
    return {
        **basics,
        **from_ecs,
        **task.environment,
        **task.secrets,
        **{row.variable: row.local for row in mapped},
        variable("database_password"): passwords.serving,
        variable("cache_password"): passwords.cache,
    }


def start_gateway(children: Children, options: Options, environ: dict[str, str]) -> Child:
    """Start the gateway as its image does, and wait until it and all it needs are ready."""
    child = children.start("gateway", [sys.executable, "-m", "gateway"], environ)
    wait_until(child, lambda: readiness(options) == _READY, 30)
    return child


def readiness(options: Options) -> dict[str, str] | None:
    """What the gateway says of itself, its cache and its database; None while it does not answer 200."""
    body = get(f"{options.url('gateway')}/health/ready")
    states: dict[str, str] | None = None if body is None else json.loads(body)
    return states
