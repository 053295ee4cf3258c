"""How the local task or pod differs from the deployed one: only in addresses that cannot exist here."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.settings import Settings, variable
from local.options import Options
from local.task import Task


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """One variable of the task that gets another value here."""

    variable: str
    deployed: str
    local: str
    reason: str


def mapped_addresses(task: Task, options: Options, credentials_url: str) -> list[Mapped]:
    """The whole list, with the value deployed beside the value used here."""
    ports = {name: str(port) for name, port in options.ports.items()}
    listen = "loopback, not a task's interface"
    no_tls = "loopback, no certificate"
    no_iam = "only AWS knows IAM"
    settings = [
        ("host", "127.0.0.1", listen),
        ("port", ports["gateway"], listen),
        ("cache_host", "127.0.0.1", "Valkey for ElastiCache"),
        ("cache_port", ports["cache"], "Valkey for ElastiCache"),
        ("cache_tls", "false", no_tls),
        ("cache_authentication", "password", no_iam),
        ("database_host", "127.0.0.1", "PostgreSQL for RDS"),
        ("database_port", ports["database"], "PostgreSQL for RDS"),
        ("database_tls", "false", no_tls),
        ("database_authentication", "password", no_iam),
        ("identity_issuers", _issuers(task, options), "the emulator's Cognito"),
        ("bedrock_endpoint_url", options.url("bedrock"), "the Bedrock simulator"),
        ("appconfig_endpoint_url", options.url("emulator"), "the emulator's AppConfig"),
    ]
    return [
        *(_setting(task, field, local, reason) for field, local, reason in settings),
        *_secrets_folder(task, options),
        Mapped(
            variable="AWS_CONTAINER_CREDENTIALS_FULL_URI",
            deployed="http://169.254.170.23/... (EKS)" if task.in_pod else "http://169.254.170.2/... (ECS)",
            local=credentials_url,
            reason="the emulator's STS",
        ),
    ]


def _secrets_folder(task: Task, options: Options) -> Iterator[Mapped]:
    if task.in_pod:
        folder = str(options.state / "secrets")
        yield _setting(task, "secrets_directory", folder, "no driver mounts it")


def _issuers(task: Task, options: Options) -> str:
    """The deployed issuers with their keys where the emulator has them: under its pools' IDs."""
    issuers = json.loads(task.environment[variable("identity_issuers")])
    for issuer in issuers:
        pool = issuer["issuer"].rpartition("/")[2]
        issuer["jwks_url"] = f"{options.url('emulator')}/{pool}/.well-known/jwks.json"
    return json.dumps(issuers, separators=(",", ":"))


def _setting(task: Task, field: str, local: str, reason: str) -> Mapped:
    name = variable(field)
    default = Settings.model_fields[field].default
    not_set = "(AWS's own)" if default is None else f"{str(default).lower()} (default)"
    deployed = "(a secret)" if name in task.secrets else task.environment.get(name, not_set)
    return Mapped(variable=name, deployed=deployed, local=local, reason=reason)
