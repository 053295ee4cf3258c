"""The relational database."""

from collections.abc import Sequence
from typing import cast

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
# In UTC. Hours apart from each other and from the backups of AWS Backup, which RDS refuses meanwhile.
BACKUP_WINDOW = "03:00-03:30"
MAINTENANCE_WINDOW = "sun:04:30-sun:05:00"
MONITORING_INTERVAL = cdk.Duration.minutes(1)
# Where RDS writes what it sees of the operating systems of all instances of an account and region.
MONITORING_LOG_GROUP = "RDSOSMetrics"


class Database(Construct):
    """RDS for PostgreSQL, encrypted and reached over TLS only, into which only IAM principals sign in.

    Nobody has a password: `instance.grant_connect` lets a principal sign in as `owner`, who owns the schema,
    or as another user of the database. Storage grows by itself from `storage_gib` to `storage_limit_gib`.
    `in_backup_plan` says whether AWS Backup copies it besides. With `removal_policy` DESTROY, removal leaves
    a final snapshot, readable as long as `encryption_key` exists.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        subnets: ec2.SubnetSelection,
        security_group: ec2.ISecurityGroup,
        encryption_key: kms.IKey,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        instance_identifier: str,
        instance_class: str,
        database_name: str,
        storage_gib: int,
        storage_limit_gib: int,
        multi_az: bool,
        backup_retention: cdk.Duration,
        in_backup_plan: bool,
        deletion_protection: bool,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        kept = removal_policy != cdk.RemovalPolicy.DESTROY
        self.name = database_name
        self.owner = OWNER
        # As long as the instance is there, so must be what it uses.
        parameter_group = rds.ParameterGroup(
            self, "Parameters", engine=ENGINE, parameters=PARAMETERS, removal_policy=removal_policy
        )
        subnet_group = rds.SubnetGroup(
            self,
            "Subnets",
            description="The gateway's database",
            vpc=vpc,
            vpc_subnets=subnets,
            removal_policy=removal_policy,
        )
        monitoring_role = _monitoring_role(self, instance_identifier)
        self.instance = rds.DatabaseInstance(
            self,
            "Instance",
            engine=ENGINE,
            instance_identifier=instance_identifier,
            instance_type=ec2.InstanceType(instance_class),
            database_name=database_name,
            credentials=rds.Credentials.from_username(OWNER),
            # Without this the CDK makes a password; _let_the_owner_sign_in_by_iam takes it away again.
            manage_master_user_password=True,
            iam_authentication=True,
            vpc=vpc,
            security_groups=[security_group],
            publicly_accessible=False,
            ca_certificate=rds.CaCertificate.RDS_CA_RSA2048_G1,
            parameter_group=parameter_group,
            subnet_group=subnet_group,
            storage_type=rds.StorageType.GP3,
            allocated_storage=storage_gib,
            max_allocated_storage=storage_limit_gib,
            storage_encrypted=True,
            storage_encryption_key=encryption_key,
            multi_az=multi_az,
            auto_minor_version_upgrade=True,
            preferred_maintenance_window=MAINTENANCE_WINDOW,
            preferred_backup_window=BACKUP_WINDOW,
            backup_retention=backup_retention,
            delete_automated_backups=not kept,
            copy_tags_to_snapshot=True,
            deletion_protection=deletion_protection,
            enable_performance_insights=True,
            performance_insight_encryption_key=encryption_key,
            database_insights_mode=rds.DatabaseInsightsMode.STANDARD,
            monitoring_interval=MONITORING_INTERVAL,
            monitoring_role=monitoring_role,
            cloudwatch_logs_exports=list(EXPORTED_LOGS),
            removal_policy=removal_policy if kept else cdk.RemovalPolicy.SNAPSHOT,
        )
        # With its policy: RDS tries the role when it creates the instance.
        self.instance.node.add_dependency(monitoring_role)
        _let_the_owner_sign_in_by_iam(self.instance)
        self._create_log_groups(instance_identifier, log_key, log_retention, removal_policy)
        self._acknowledge_findings(
            multi_az=multi_az, deletion_protection=deletion_protection, in_backup_plan=in_backup_plan
        )

    def _create_log_groups(
        self,
        instance_identifier: str,
        key: kms.IKey,
        retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        # RDS creates a missing log group itself, but unencrypted and kept for ever.
        for log in EXPORTED_LOGS:
            log_group = logs.LogGroup(
                self,
                f"{log.capitalize()}LogGroup",
                log_group_name=f"/aws/rds/instance/{instance_identifier}/{log}",
                encryption_key=key,
                retention=retention,
                removal_policy=removal_policy,
            )
            self.instance.node.add_dependency(log_group)

    def _acknowledge_findings(
        self, *, multi_az: bool, deletion_protection: bool, in_backup_plan: bool
    ) -> None:
        acknowledge(
            self.instance,
            {"RDS11": "Another port hides nothing: security groups admit the gateway's tasks alone."},
        )
        if in_backup_plan:
            reason = "The plan of the Backup stack selects it by its ARN; the rule looks in this stack."
        else:
            reason = "This environment keeps RDS's own backups alone, with a restore to any point in time."
        acknowledge_nist(self.instance, {"RDSInBackupPlan": reason})
        if not multi_az:
            reason = "This environment's configuration asks for a single zone."
            acknowledge(self.instance, {"RDS3": reason})
            acknowledge_nist(self.instance, {"RDSMultiAZSupport": reason})
        if not deletion_protection:
            reason = "This environment may be removed; removal leaves a final snapshot for 30 days."
            acknowledge(self.instance, {"RDS10": reason})
            acknowledge_nist(self.instance, {"RDSInstanceDeletionProtectionEnabled": reason})


def _let_the_owner_sign_in_by_iam(instance: rds.DatabaseInstance) -> None:
    resource = cast(rds.CfnDBInstance, instance.node.default_child)
    resource.manage_master_user_password = None
    resource.master_user_authentication_type = "iam-db-auth"


def _monitoring_role(scope: Construct, instance_identifier: str) -> iam.Role:
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
