"""What every task of the gateway's image has in common: it can change nothing, and ECS reads its secrets."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse.findings import acknowledge


def linux_parameters(scope: Construct, temporary_mib: Mapping[str, int]) -> ecs.LinuxParameters:
    """No capabilities, and beside the read-only root temporary file systems in memory, by path in MiB."""
    parameters = ecs.LinuxParameters(scope, "Linux", init_process_enabled=True)
    parameters.drop_capabilities(ecs.Capability.ALL)
    parameters.add_tmpfs(
        *(
            ecs.Tmpfs(
                container_path=path,
                size=size,
                mount_options=[
                    ecs.TmpfsMountOption.NOEXEC,
                    ecs.TmpfsMountOption.NOSUID,
                    ecs.TmpfsMountOption.NODEV,
                ],
            )
            for path, size in temporary_mib.items()
        )
    )
    return parameters


def tasks_of_this_account(scope: Construct) -> iam.ServicePrincipal:
    """Who assumes the role of a task: ECS, for a task of this account and region."""
    stack = cdk.Stack.of(scope)
    return iam.ServicePrincipal(
        "ecs-tasks.amazonaws.com",
        conditions={
            "StringEquals": {"aws:SourceAccount": stack.account},
            "ArnLike": {
                "aws:SourceArn": stack.format_arn(
                    service="ecs", resource="*", arn_format=cdk.ArnFormat.NO_RESOURCE_NAME
                )
            },
        },
    )


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
