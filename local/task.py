"""Reads deployed tasks back from the emulator: their definitions, their secrets, the cache user."""

import json
from dataclasses import dataclass, field
from typing import Any

from local import aws
from local.errors import LocalError
from local.options import Options
from operations.assembly import Stack


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A user name and its password."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Task:
    """What ECS or Kubernetes would start: a container's variables, secrets resolved, its role, its command.

    definition: where it was read. No command is the image's own. secret_sources: as in ECS. in_pod: it
    finds secrets, and the token for its credentials, as files.
    """

    definition: str
    container: str
    command: list[str]
    image: str
    role: str
    environment: dict[str, str]
    secrets: dict[str, str] = field(repr=False)
    secret_sources: dict[str, str]
    in_pod: bool = False


def read_task(options: Options, region: str, stacks: list[Stack]) -> Task:
    """Read the task definition that the deployed ECS service runs, its secrets resolved as ECS does."""
    ecs = aws.client("ecs", options, region)
    cluster, service = _service(options, region, stacks).rsplit("/", 2)[-2:]
    deployed = ecs.describe_services(cluster=cluster, services=[service])["services"][0]
    return read_definition(options, region, deployed["taskDefinition"])


def read_definition(options: Options, region: str, arn: str) -> Task:
    """Read the container that a task is for, its secrets resolved as ECS does; the others serve it."""
    ecs = aws.client("ecs", options, region)
    definition = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    (container,) = (c for c in definition["containerDefinitions"] if c.get("essential", True))
    secrets_manager = aws.client("secretsmanager", options, region, role=definition["executionRoleArn"])
    return Task(
        definition=definition["taskDefinitionArn"],
        container=container["name"],
        command=[*container.get("entryPoint", []), *container.get("command", [])],
        image=container["image"],
        role=definition["taskRoleArn"],
        environment={variable["name"]: variable["value"] for variable in container["environment"]},
        secrets={
            secret["name"]: secret_value(secrets_manager, secret["valueFrom"])
            for secret in container.get("secrets", [])
        },
        secret_sources={secret["name"]: secret["valueFrom"] for secret in container.get("secrets", [])},
    )


def secret_value(secrets_manager: Any, value_from: str) -> str:
    """Resolve a container secret's `valueFrom` as ECS does: an ARN, then optionally `:key:stage:version`.

    Raises LocalError when it is no secret's ARN or the secret's JSON has no such key; never shows a value.
    """
    parts = value_from.split(":")
    if parts[:3] != ["arn", "aws", "secretsmanager"] or len(parts) not in (7, 10):
        expected = "arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, or that and :KEY:STAGE:VERSION"
        raise LocalError(f"a container's secret has valueFrom {value_from!r}; ECS takes {expected}")
    key, stage, version = parts[7:] or ("", "", "")
    selected = {"VersionStage": stage, "VersionId": version}
    answer = secrets_manager.get_secret_value(
        SecretId=":".join(parts[:7]), **{name: value for name, value in selected.items() if value}
    )
    text: str = answer["SecretString"]
    if not key:
        return text
    fields = json.loads(text)
    if key not in fields:
        raise LocalError(
            f"secret {parts[6]} has no key {key!r}; the task definition may ask for {', '.join(fields)}"
        )
    return str(fields[key])


def read_access_string(options: Options, region: str, username: str) -> str:
    """What the deployed ElastiCache user may do, in Valkey's ACL language."""
    users = aws.client("elasticache", options, region).describe_users()["Users"]
    strings: list[str] = [user["AccessString"] for user in users if user["UserName"] == username]
    if len(strings) != 1:
        names = ", ".join(sorted(user["UserName"] for user in users)) or "none"
        raise LocalError(f"the gateway signs in to the cache as {username!r}; deployed users: {names}")
    return strings[0]


def _service(options: Options, region: str, stacks: list[Stack]) -> str:
    """The ARN of the only ECS service that the stacks hold."""
    cloudformation = aws.client("cloudformation", options, region)
    services = [
        cloudformation.describe_stack_resource(StackName=stack.deployed_name, LogicalResourceId=logical_id)
        for stack in stacks
        for logical_id, resource in stack.resources.items()
        if resource.type == "AWS::ECS::Service"
    ]
    if len(services) != 1:
        raise LocalError(f"the stacks hold {len(services)} ECS services; this runs exactly one, the gateway")
    arn: str = services[0]["StackResourceDetail"]["PhysicalResourceId"]
    return arn
