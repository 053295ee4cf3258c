"""What every task of the gateway's image has in common: it can change nothing, and ECS reads its secrets."""

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse.findings import acknowledge

USER = "10001"
PYTHON = "/opt/gateway/bin/python"
TEMPORARY_FILES_MIB = 64


def linux_parameters(scope: Construct) -> ecs.LinuxParameters:
    """No capabilities, and a temporary file system in memory at `/tmp` beside the read-only root."""
    parameters = ecs.LinuxParameters(scope, "Linux", init_process_enabled=True)
    parameters.drop_capabilities(ecs.Capability.ALL)
    parameters.add_tmpfs(
        ecs.Tmpfs(
            container_path="/tmp",  # noqa: S108 (the container's own)
            size=TEMPORARY_FILES_MIB,
            mount_options=[
                ecs.TmpfsMountOption.NOEXEC,
                ecs.TmpfsMountOption.NOSUID,
                ecs.TmpfsMountOption.NODEV,
            ],
        )
    )
    return parameters


def let_ecs_decrypt_secrets(definition: ecs.TaskDefinition, key: kms.IKey) -> None:
    """Let ECS use the key of a task's secrets, through Secrets Manager alone."""
    stack = cdk.Stack.of(definition)
    definition.add_to_execution_role_policy(
        iam.PolicyStatement(
            actions=["kms:Decrypt"],
            resources=[key.key_arn],
            conditions={"StringEquals": {"kms:ViaService": f"secretsmanager.{stack.region}.amazonaws.com"}},
        )
    )


def acknowledge_findings(definition: ecs.TaskDefinition) -> None:
    """Acknowledge what the rule packs find in every such task."""
    acknowledge(
        definition,
        {"ECS2": "Variables hold names and addresses alone; ECS resolves each secret by reference."},
    )
    if definition.execution_role is not None:
        acknowledge(
            definition.execution_role,
            {"IAM5[Resource::*]": "ecr:GetAuthorizationToken takes no resource; pulling has one."},
        )
