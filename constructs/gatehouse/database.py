"""The relational database."""

from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from constructs import Construct

from gatehouse.database_instance import (
    BACKUP_WINDOW,
    ENGINE,
    EXPORTED_LOGS,
    MONITORING_INTERVAL,
    OWNER,
    acknowledge_findings,
    create_log_groups,
    monitoring_role,
    parameter_group,
    subnet_group,
)
from gatehouse.keys import CopyRegion

# In UTC.
MAINTENANCE_WINDOW = "sun:04:30-sun:05:00"
# Long enough to find out that something is wrong with the replica, and with the backups that it has itself.
COPIED_BACKUPS = cdk.Duration.days(7)


class Database(Construct):
    """RDS for PostgreSQL, encrypted and reached over TLS only, into which only IAM principals sign in.

    Nobody has a password: `instance.grant_connect` lets a principal sign in as `owner`, who owns the schema,
    or as another user of the database. Storage grows by itself from `storage_gib` to `storage_limit_gib`.
    `in_backup_plan` says whether AWS Backup copies it besides. With `removal_policy` DESTROY, removal leaves
    a final snapshot, readable as long as `encryption_key` exists. `copies` is where RDS keeps the last week's
    backups once more: they lead back behind a mistake, which a replica copies. `kept_for_replica_mib` is how
    much of its log waits for a replica that is away: without a limit it would fill the storage.
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
        copies: CopyRegion | None = None,
        kept_for_replica_mib: int | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        kept = removal_policy != cdk.RemovalPolicy.DESTROY
        self.name = database_name
        self.owner = OWNER
        monitoring = monitoring_role(self, instance_identifier)
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
            parameter_group=parameter_group(self, removal_policy, kept_for_replica_mib),
            subnet_group=subnet_group(self, vpc, subnets, removal_policy),
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
            monitoring_role=monitoring,
            cloudwatch_logs_exports=list(EXPORTED_LOGS),
            removal_policy=removal_policy if kept else cdk.RemovalPolicy.SNAPSHOT,
        )
        # With its policy: RDS tries the role when it creates the instance.
        self.instance.node.add_dependency(monitoring)
        _let_the_owner_sign_in_by_iam(self.instance)
        if copies is not None:
            _copy_backups(self.instance, copies)
        create_log_groups(
            self,
            self.instance,
            instance_identifier=instance_identifier,
            key=log_key,
            retention=log_retention,
            removal_policy=removal_policy,
        )
        acknowledge_findings(
            self.instance,
            multi_az=multi_az,
            deletion_protection=deletion_protection,
            in_backup_plan=in_backup_plan,
        )


def _let_the_owner_sign_in_by_iam(instance: rds.DatabaseInstance) -> None:
    resource = cast(rds.CfnDBInstance, instance.node.default_child)
    resource.manage_master_user_password = None
    resource.master_user_authentication_type = "iam-db-auth"


def _copy_backups(instance: rds.DatabaseInstance, copies: CopyRegion) -> None:
    resource = cast(rds.CfnDBInstance, instance.node.default_child)
    resource.automatic_backup_replication_region = copies.region
    resource.automatic_backup_replication_kms_key_id = copies.key_arn
    resource.automatic_backup_replication_retention_period = COPIED_BACKUPS.to_days()
