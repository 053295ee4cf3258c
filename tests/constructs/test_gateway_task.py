from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager

from gatehouse.container_settings import ContainerSettings, SecretValue
from gatehouse.gateway_task import GatewayTask
from gatehouse.profiles.gatehouse import HEALTH_COMMAND, USER, gatehouse_profile
from tests.constructs.conftest import ROOT, Properties

DOCKERFILE = ROOT / "gateway_image" / "Dockerfile"


@pytest.fixture
def container(stack: cdk.Stack, key: kms.IKey, properties: Properties) -> dict[str, Any]:
    secret = secretsmanager.Secret(stack, "Secret", encryption_key=key)
    settings = ContainerSettings(environment={"PLAIN": "value"}, secrets={"SECRET": SecretValue(secret)})
    GatewayTask(
        stack,
        "Task",
        image=ecs.ContainerImage.from_registry("example.com/gateway:1"),
        cpu_architecture=ecs.CpuArchitecture.ARM64,
        cpu_units=512,
        memory_mib=1024,
        profile=gatehouse_profile(settings=settings, migration_settings=settings, database_user="gateway"),
        collector_image=None,
        environment="dev",
        task_role_name="gatehouse-dev-task",
        permissions=[],
        secret_key=key,
        log_key=key,
        log_retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    (task,) = properties("AWS::ECS::TaskDefinition")
    (container,) = task["ContainerDefinitions"]
    assert isinstance(container, dict)
    return container


def test_the_container_can_change_nothing_on_its_host(container: dict[str, Any]) -> None:
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert container["LinuxParameters"]["InitProcessEnabled"] is True
    (temporary,) = container["LinuxParameters"]["Tmpfs"]
    assert temporary["ContainerPath"] == "/tmp"
    assert {"noexec", "nosuid", "nodev"} <= set(temporary["MountOptions"])
    assert container["User"] == USER
    assert "Privileged" not in container


def test_secrets_are_references(container: dict[str, Any]) -> None:
    assert [entry["Name"] for entry in container["Environment"]] == ["PLAIN"]
    assert [entry["Name"] for entry in container["Secrets"]] == ["SECRET"]


def test_health_and_user_are_those_of_the_image(container: dict[str, Any]) -> None:
    assert container["HealthCheck"]["Command"] == list(HEALTH_COMMAND)
    dockerfile = " ".join(DOCKERFILE.read_text(encoding="utf-8").split())
    command = ", ".join(f'"{word}"' for word in HEALTH_COMMAND[1:])
    assert f"CMD [{command}]" in dockerfile
    assert f" USER {USER}:{USER} " in dockerfile


@pytest.mark.usefixtures("container")
def test_ecs_may_read_the_secrets_and_the_gateway_may_not(properties: Properties, key: kms.IKey) -> None:
    # Without permissions of its own the task role has no policy: the one there is belongs to ECS.
    (policy,) = properties("AWS::IAM::Policy")
    assert "ExecutionRole" in str(policy["Roles"])
    statements = {str(s["Action"]): s for s in policy["PolicyDocument"]["Statement"]}
    assert statements["kms:Decrypt"]["Resource"] == key.key_arn
    assert statements["kms:Decrypt"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}
    }
    assert "secretsmanager:GetSecretValue" in str(statements)


@pytest.mark.usefixtures("container")
def test_its_logs_are_encrypted_and_never_slow_it_down(
    container: dict[str, Any], properties: Properties, key: kms.IKey
) -> None:
    (log_group,) = properties("AWS::Logs::LogGroup")
    assert log_group["KmsKeyId"] == key.key_arn
    assert container["LogConfiguration"]["Options"]["mode"] == "non-blocking"
