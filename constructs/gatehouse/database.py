"""The relational database."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from gatehouse.findings import acknowledge

# A major version alone: RDS keeps the minor version current, and a deployment must not turn that back.
ENGINE = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.of("18", "18"))
PARAMETERS = {"rds.force_ssl": "1"}
EXPORTED_LOGS = ("postgresql", "upgrade")
OWNER = "gatehouse"


class Database(Construct):
    """RDS for PostgreSQL, reached over TLS only and encrypted, with its owner's password in `secret`.

    `secret` is a JSON object with `username`, which is `owner`, and `password`. Other users of the
    database sign in as IAM principals (`instance.grant_connect`). Storage grows by itself from `storage_gib`
    to `storage_limit_gib`. With `removal_policy` DESTROY, removal leaves a final snapshot, readable as
    long as `encryption_key` exists.
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
        deletion_protection: bool,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        kept = removal_policy != cdk.RemovalPolicy.DESTROY
        self.name = database_name
        self.owner = OWNER
        owner = rds.DatabaseSecret(self, "Owner", username=OWNER, encryption_key=encryption_key)
        owner.apply_removal_policy(removal_policy)
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
        self.instance = rds.DatabaseInstance(
            self,
            "Instance",
            engine=ENGINE,
            instance_identifier=instance_identifier,
            instance_type=ec2.InstanceType(instance_class),
            database_name=database_name,
            credentials=rds.Credentials.from_secret(owner),
            vpc=vpc,
            security_groups=[security_group],
            publicly_accessible=False,
            parameter_group=parameter_group,
            subnet_group=subnet_group,
            storage_type=rds.StorageType.GP3,
            allocated_storage=storage_gib,
            max_allocated_storage=storage_limit_gib,
            storage_encrypted=True,
            storage_encryption_key=encryption_key,
            multi_az=multi_az,
            iam_authentication=True,
            auto_minor_version_upgrade=True,
            backup_retention=backup_retention,
            delete_automated_backups=not kept,
            deletion_protection=deletion_protection,
            enable_performance_insights=True,
            performance_insight_encryption_key=encryption_key,
            database_insights_mode=rds.DatabaseInsightsMode.STANDARD,
            cloudwatch_logs_exports=list(EXPORTED_LOGS),
            removal_policy=removal_policy if kept else cdk.RemovalPolicy.SNAPSHOT,
        )
        self.secret: secretsmanager.ISecret = owner
        self._create_log_groups(instance_identifier, log_key, log_retention, removal_policy)
        self._acknowledge_findings(multi_az=multi_az, deletion_protection=deletion_protection)

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

    def _acknowledge_findings(self, *, multi_az: bool, deletion_protection: bool) -> None:
        acknowledge(
            self.secret,
            {"SMG4": "Only the migrations use it, at each deployment; an operator rotates it between two."},
        )
        acknowledge(
            self.instance,
            {"RDS11": "Another port hides nothing: security groups admit the gateway's tasks alone."},
        )
        if not multi_az:
            acknowledge(self.instance, {"RDS3": "This environment's configuration asks for a single zone."})
        if not deletion_protection:
            acknowledge(
                self.instance,
                {"RDS10": "This environment may be removed; removal leaves a final snapshot for 30 days."},
            )
