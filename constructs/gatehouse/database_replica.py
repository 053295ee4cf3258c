"""A copy of the relational database in another region, which can take its place."""

from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from constructs import Construct

from gatehouse.database_instance import (
    BACKUP_WINDOW,
    EXPORTED_LOGS,
    MONITORING_INTERVAL,
    OWNER,
    acknowledge_findings,
    create_log_groups,
    monitoring_role,
    parameter_group,
    subnet_group,
)
from gatehouse.findings import acknowledge, acknowledge_nist

# In UTC, the day before the source's: PostgreSQL wants whoever receives to be the first with a new version.
MAINTENANCE_WINDOW = "sat:04:30-sat:05:00"


class DatabaseReplica(Construct):
    """A read replica of the instance `source_identifier` in `source_region`, of this account.

    It has the source's users, who sign in as there; `instance`, `name` and `owner` are the same as there. It
    is promoted as it is, with its own backups and as available as the source, and keeps as much of its log,
    `kept_for_replica_mib`, once it has a replica itself. While it is one, removal leaves no snapshot: RDS
    makes none of replicas.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        source_region: str,
        source_identifier: str,
        vpc: ec2.IVpc,
        subnets: ec2.SubnetSelection,
        security_group: ec2.ISecurityGroup,
        encryption_key: kms.IKey,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        instance_identifier: str,
        instance_class: str,
        database_name: str,
        storage_limit_gib: int,
        multi_az: bool,
        backup_retention: cdk.Duration,
        in_backup_plan: bool,
        deletion_protection: bool,
        removal_policy: cdk.RemovalPolicy,
        kept_for_replica_mib: int,
    ) -> None:
        super().__init__(scope, construct_id)
        self.name = database_name
        self.owner = OWNER
        monitoring = monitoring_role(self, instance_identifier)
        self.instance = rds.DatabaseInstanceReadReplica(
            self,
            "Instance",
            source_database_instance=self._source(source_identifier),
            instance_identifier=instance_identifier,
            instance_type=ec2.InstanceType(instance_class),
            iam_authentication=True,
            vpc=vpc,
            security_groups=[security_group],
            publicly_accessible=False,
            ca_certificate=rds.CaCertificate.RDS_CA_RSA2048_G1,
            parameter_group=parameter_group(self, removal_policy, kept_for_replica_mib),
            subnet_group=subnet_group(self, vpc, subnets, removal_policy),
            storage_type=rds.StorageType.GP3,
            max_allocated_storage=storage_limit_gib,
            storage_encryption_key=encryption_key,
            multi_az=multi_az,
            auto_minor_version_upgrade=True,
            preferred_maintenance_window=MAINTENANCE_WINDOW,
            preferred_backup_window=BACKUP_WINDOW,
            backup_retention=backup_retention,
            delete_automated_backups=removal_policy == cdk.RemovalPolicy.DESTROY,
            copy_tags_to_snapshot=True,
            deletion_protection=deletion_protection,
            enable_performance_insights=True,
            performance_insight_encryption_key=encryption_key,
            database_insights_mode=rds.DatabaseInsightsMode.STANDARD,
            monitoring_interval=MONITORING_INTERVAL,
            monitoring_role=monitoring,
            cloudwatch_logs_exports=list(EXPORTED_LOGS),
            removal_policy=removal_policy,
        )
        # The CDK looks for a source that it did not make in this region.
        resource = cast(rds.CfnDBInstance, self.instance.node.default_child)
        resource.source_db_instance_identifier = self._source_arn(source_region, source_identifier)
        # For the request that CloudFormation signs for the source's region, in which the data are encrypted.
        resource.source_region = source_region
        # CloudFormation takes the key alone: whether a replica is encrypted is its source's to say.
        resource.storage_encrypted = None
        # With its policy: RDS tries the role when it creates the instance.
        self.instance.node.add_dependency(monitoring)
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
            remains="its source as it is",
        )
        reason = "A replica is encrypted as its source is, which is; KmsKeyId names the key of this region."
        acknowledge(self.instance, {"RDS2": reason})
        acknowledge_nist(self.instance, {"RDSStorageEncrypted": reason})

    def _source(self, identifier: str) -> rds.IDatabaseInstance:
        return rds.DatabaseInstance.from_database_instance_attributes(
            self,
            "Source",
            instance_identifier=identifier,
            # Nobody connects to it from here.
            instance_endpoint_address="",
            port=0,
            security_groups=[],
        )

    def _source_arn(self, region: str, identifier: str) -> str:
        return cdk.Stack.of(self).format_arn(
            service="rds",
            region=region,
            resource="db",
            resource_name=identifier,
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
