import importlib.util
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager

from gatehouse.container_settings import ContainerSettings, SecretValue
from gatehouse.migration_task import MigrationTask
from gatehouse.profiles.gatehouse import PYTHON, USER, gatehouse_profile
from tests.constructs.conftest import Properties


@pytest.fixture
def container(stack: cdk.Stack, key: kms.IKey, properties: Properties) -> dict[str, Any]:
    secret = secretsmanager.Secret(stack, "Secret", encryption_key=key)
    settings = ContainerSettings(environment={"PLAIN": "value"}, secrets={"SECRET": SecretValue(secret)})
    profile = gatehouse_profile(settings=settings, migration_settings=settings, database_user="gateway")
    assert profile.migrations is not None
    MigrationTask(
        stack,
        "Migrations",
        image=ecs.ContainerImage.from_registry("example.com/gateway:1"),
        cpu_architecture=ecs.CpuArchitecture.ARM64,
        migrations=profile.migrations,
        secret_key=key,
        log_key=key,
        log_retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    (task,) = properties("AWS::ECS::TaskDefinition")
    (container,) = task["ContainerDefinitions"]
    assert isinstance(container, dict)
    return container


def test_it_runs_the_migrations_in_place_of_the_gateway(container: dict[str, Any]) -> None:
    assert container["EntryPoint"] == [PYTHON]
    (option, module) = container["Command"]
    assert option == "-m"
    assert importlib.util.find_spec(f"{module}.__main__") is not None
    assert "HealthCheck" not in container
    assert "PortMappings" not in container


def test_it_is_as_hardened_as_the_gateway(container: dict[str, Any]) -> None:
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert container["User"] == USER
    assert "Privileged" not in container


@pytest.mark.usefixtures("container")
def test_only_ecs_may_read_its_secrets(properties: Properties) -> None:
    # Its task role has no policy at all: the only one there is belongs to ECS.
    (policy,) = properties("AWS::IAM::Policy")
    assert "ExecutionRole" in str(policy["Roles"])
    assert "secretsmanager:GetSecretValue" in str(policy["PolicyDocument"])


def test_its_log_loses_no_line(container: dict[str, Any], properties: Properties, key: kms.IKey) -> None:
    assert container["LogConfiguration"]["Options"]["mode"] == "blocking"
    (log_group,) = properties("AWS::Logs::LogGroup")
    assert log_group["KmsKeyId"] == key.key_arn
