"""What every instance of the database has, whether it is the primary's or a replica."""

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from constructs import Construct

from gatehouse.findings import acknowledge, acknowledge_nist

# A major version alone: RDS keeps the minor version current, and a deployment must not turn that back.
ENGINE = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.of("18", "18"))
PARAMETERS = {
    "rds.force_ssl": "1",
    "ssl_min_protocol_version": "TLSv1.2",
    "password_encryption": "scram-sha-256",
    # Who was signed in from where and for how long. Failed attempts are always logged.
    "log_disconnections": "1",
    "log_statement": "ddl",
    "log_min_duration_statement": "1000",  # ms
    # Statements are logged without the values that they were run with.
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_lock_waits": "1",
    # As long as a step of the migrations may take; the gateway's own sessions end much earlier.
    "statement_timeout": "900000",  # ms
    "idle_in_transaction_session_timeout": "60000",  # ms
}
EXPORTED_LOGS = ("postgresql", "upgrade")
OWNER = "gatehouse"
# In UTC, hours apart from maintenance and from the backups of AWS Backup, which RDS refuses meanwhile.
BACKUP_WINDOW = "03:00-03:30"
MONITORING_INTERVAL = cdk.Duration.minutes(1)
# Where RDS writes what it sees of the operating systems of all instances of an account and region.
MONITORING_LOG_GROUP = "RDSOSMetrics"


def parameter_group(
    scope: Construct, removal_policy: cdk.RemovalPolicy, kept_for_replica_mib: int | None
) -> rds.ParameterGroup:
    """How the engine runs. As long as the instance is there, so must be what it uses."""
    of_a_pair = {} if kept_for_replica_mib is None else _of_a_pair(kept_for_replica_mib)
    return rds.ParameterGroup(
        scope,
        "Parameters",
        engine=ENGINE,
        parameters={**PARAMETERS, **of_a_pair},
        removal_policy=removal_policy,
    )


def _of_a_pair(kept_mib: int) -> Mapping[str, str]:
    """The same on both sides: after a failover the source is what was the replica."""
    return {
        "max_slot_wal_keep_size": str(kept_mib),
        # How long a query may hold up what is replicated before it is cancelled: the gateway's take
        # milliseconds, and PostgreSQL's 30 seconds would be as much as may be lost of the database.
        "max_standby_streaming_delay": "5000",  # ms
    }


def subnet_group(
    scope: Construct, vpc: ec2.IVpc, subnets: ec2.SubnetSelection, removal_policy: cdk.RemovalPolicy
) -> rds.SubnetGroup:
    """Where the instance is."""
    return rds.SubnetGroup(
        scope,
        "Subnets",
        description="The gateway's database",
        vpc=vpc,
        vpc_subnets=subnets,
        removal_policy=removal_policy,
    )


def create_log_groups(
    scope: Construct,
    instance: rds.IDatabaseInstance,
    *,
    instance_identifier: str,
    key: kms.IKey,
    retention: logs.RetentionDays,
    removal_policy: cdk.RemovalPolicy,
) -> None:
    """The groups of the exported logs."""
    # RDS creates a missing one itself, but unencrypted and kept for ever.
    for log in EXPORTED_LOGS:
        log_group = logs.LogGroup(
            scope,
            f"{log.capitalize()}LogGroup",
            log_group_name=f"/aws/rds/instance/{instance_identifier}/{log}",
            encryption_key=key,
            retention=retention,
            removal_policy=removal_policy,
        )
        instance.node.add_dependency(log_group)


def acknowledge_findings(
    instance: rds.IDatabaseInstance,
    *,
    multi_az: bool,
    deletion_protection: bool,
    in_backup_plan: bool,
    remains: str = "a final snapshot for 30 days",
) -> None:
    """Acknowledge what the rule packs find in an instance, and what the configuration asks for.

    remains: what is left of it where it may be removed.
    """
    acknowledge(
        instance,
        {"RDS11": "Another port hides nothing: security groups admit the gateway's tasks alone."},
    )
    if in_backup_plan:
        reason = "The plan of the Backup stack selects it by its ARN; the rule looks in this stack."
    else:
        reason = "This environment keeps RDS's own backups alone, with a restore to any point in time."
    acknowledge_nist(instance, {"RDSInBackupPlan": reason})
    if not multi_az:
        reason = "This environment's configuration asks for a single zone."
        acknowledge(instance, {"RDS3": reason})
        acknowledge_nist(instance, {"RDSMultiAZSupport": reason})
    if not deletion_protection:
        reason = f"This environment may be removed; removal leaves {remains}."
        acknowledge(instance, {"RDS10": reason})
        acknowledge_nist(instance, {"RDSInstanceDeletionProtectionEnabled": reason})


def grant_connect(
    role: iam.IRole, instance: rds.IDatabaseInstance, user: str, *, is_replaceable: bool
) -> None:
    """Let a role sign in to an instance as one of the database's users.

    is_replaceable: a recovery may put another instance in its place, with its name and another ID, and IAM
    knows instances by their IDs alone: the role may then sign in as that user wherever there is one.
    """
    if not is_replaceable:
        instance.grant_connect(role, user)
        return
    stack = cdk.Stack.of(role)
    arn = stack.format_arn(
        service="rds-db",
        resource="dbuser",
        resource_name=f"*/{user}",
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )
    role.add_to_principal_policy(iam.PolicyStatement(actions=["rds-db:connect"], resources=[arn]))
    named = f"arn:aws:rds-db:{stack.region}:{stack.account}:dbuser:*/{user}"
    reason = "IAM knows instances by IDs alone, and a recovery replaces this one; others are out of reach."
    acknowledge(role, {f"IAM5[Resource::{named}]": reason})


def monitoring_role(scope: Construct, instance_identifier: str) -> iam.Role:
    """What AWS's managed policy for enhanced monitoring allows, in the one log group that it needs."""
    stack = cdk.Stack.of(scope)
    instance = stack.format_arn(
        service="rds",
        resource="db",
        resource_name=instance_identifier,
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )
    log_group = stack.format_arn(
        service="logs",
        resource="log-group",
        resource_name=MONITORING_LOG_GROUP,
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )
    role = iam.Role(
        scope,
        "MonitoringRole",
        description="RDS writes figures of the operating system",
        assumed_by=iam.ServicePrincipal(
            "monitoring.rds.amazonaws.com",
            conditions={
                "StringEquals": {"aws:SourceAccount": stack.account},
                "ArnEquals": {"aws:SourceArn": instance},
            },
        ),
    )
    _allow(role, ("logs:CreateLogGroup", "logs:PutRetentionPolicy"), [log_group, f"{log_group}:*"])
    streams = ("logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams", "logs:GetLogEvents")
    _allow(role, streams, [f"{log_group}:log-stream:*"])
    reason = "RDS names the streams by instances' IDs, which it makes; the log group is this one alone."
    named = f"arn:aws:logs:{stack.region}:{stack.account}:log-group:{MONITORING_LOG_GROUP}"
    acknowledge(role, {f"IAM5[Resource::{named}:*]": reason, f"IAM5[Resource::{named}:log-stream:*]": reason})
    return role


def _allow(role: iam.Role, actions: Sequence[str], resources: Sequence[str]) -> None:
    role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources)))
