"""The gateway and the Bedrock simulator as child processes."""

import json
import sys
from pathlib import Path

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
    options: Options,
    task: Task,
    mapped: list[Mapped],
    credentials: CredentialsEndpoint,
    region: str,
    passwords: Passwords,
) -> dict[str, str]:
    """Exactly what the deployed task or pod gets, but for the mapped addresses, plus what its platform adds.

    The passwords stand in for the tokens with which the deployed one signs in to its database and cache.
    """
    basics = {name: value for name, value in basic_environment().items() if name in ("PATH", "LANG")}
    added = _as_eks(options, task, credentials) if task.in_pod else _as_ecs(task, credentials, region)
    return {
        **basics,
        **added,
        **task.environment,
        **{row.variable: row.local for row in mapped},
        variable("database_password"): passwords.serving,
        variable("cache_password"): passwords.cache,
    }


def _as_ecs(task: Task, credentials: CredentialsEndpoint, region: str) -> dict[str, str]:
    return {"AWS_REGION": region, "AWS_CONTAINER_AUTHORIZATION_TOKEN": credentials.token, **task.secrets}


def _as_eks(options: Options, task: Task, credentials: CredentialsEndpoint) -> dict[str, str]:
    """The secrets, and the token for the role's credentials, are files."""
    token = _written(options.state / "pod-identity-token", credentials.token)
    folder = options.state / "secrets"
    folder.mkdir(exist_ok=True)
    for name, value in task.secrets.items():
        _written(folder / name, value)
    return {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token)}


def _written(file: Path, secret: str) -> Path:
    file.touch(mode=0o600)
    file.write_text(secret)
    return file


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
