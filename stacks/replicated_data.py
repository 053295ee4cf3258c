"""The Data stack of the standby region."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager

from gatehouse import names
from gatehouse.database_replica import DatabaseReplica
from gatehouse.generated_secret import copied_secret
from gatehouse.network import Network
from gatehouse.object_access_point import ObjectAccessPoint
from gatehouse.object_replication import BucketPlace, Replication, ReplicationAlarms, ReplicationRole
from gatehouse.object_store import ObjectStore
from gatehouse.other_region_outputs import OtherRegionOutputs
from gatehouse.primary_replication import PrimaryReplication
from gatehouse.security_groups import SecurityGroups
from stacks.config.model import Environment
from stacks.data import (
    BOOTSTRAP_KEYS,
    DATABASE_NAME,
    KEY_HASHING,
    REPLICATION_ROLE,
    DataStack,
    bucket_place,
    kept_for_replica_mib,
)
from stacks.lifetimes import log_retention, removal_policy


class ReplicatedDataStack(DataStack):
    """Copies of the primary's data, which take their place after a failover, and a cache of its own."""

    def _database(
        self,
        config: Environment,
        network: Network,
        security_groups: SecurityGroups,
        data_key: kms.IKey,
        log_key: kms.IKey,
    ) -> DatabaseReplica:
        return DatabaseReplica(
            self,
            "Database",
            source_region=config.primary_region,
            source_identifier=names.database_instance(config.name),
            vpc=network.vpc,
            subnets=network.data_subnets,
            security_group=security_groups.database,
            encryption_key=data_key,
            log_key=log_key,
            log_retention=log_retention(config),
            instance_identifier=names.database_instance(config.name),
            instance_class=config.database.instance_class,
            database_name=DATABASE_NAME,
            storage_limit_gib=config.database.storage_limit_gib,
            multi_az=config.database.multi_az,
            backup_retention=cdk.Duration.days(config.database.backup_days),
            in_backup_plan=config.backup.enabled,
            deletion_protection=config.database.deletion_protection,
            removal_policy=removal_policy(config),
            kept_for_replica_mib=kept_for_replica_mib(config),
        )

    def _secrets(
        self, config: Environment, _data_key: kms.IKey, log_key: kms.IKey
    ) -> tuple[secretsmanager.ISecret, secretsmanager.ISecret]:
        self._primary = OtherRegionOutputs(
            self,
            "Primary",
            stack_name=names.stack(config.name, "Data"),
            region=config.primary_region,
            outputs=(BOOTSTRAP_KEYS, KEY_HASHING, REPLICATION_ROLE),
            log_key=log_key,
            log_retention=log_retention(config),
            removal_policy=removal_policy(config),
        )
        return (
            copied_secret(self, "BootstrapKeys", self._primary.value(BOOTSTRAP_KEYS)),
            copied_secret(self, "KeyHashing", self._primary.value(KEY_HASHING)),
        )

    def _objects(
        self, config: Environment, access_logs: s3.IBucket, data_key: kms.IKey, log_key: kms.IKey
    ) -> ObjectStore:
        here = bucket_place(config, config.region, data_key)
        there = bucket_place(config, config.primary_region, data_key)
        replication = ReplicationRole(self, "ObjectReplication", source=here, destination=there)
        objects = ObjectStore(
            self,
            "ObjectStore",
            encryption_key=data_key,
            access_logs=access_logs,
            removal_policy=removal_policy(config),
            account_regional_prefix=names.object_store_prefix(config.name),
            replication=Replication(destination=there, role=replication.role),
        )
        # With its policy: S3 tries the role.
        objects.bucket.node.add_dependency(replication)
        ReplicationAlarms(
            self,
            "ObjectReplicationAlarms",
            source=here.name,
            destination=there.name,
            topic_arn=self.topic_arn,
        )
        self._copy_into(config, objects, there, here, log_key)
        return objects

    def _copy_into(
        self,
        config: Environment,
        objects: ObjectStore,
        primary: BucketPlace,
        standby: BucketPlace,
        log_key: kms.IKey,
    ) -> None:
        """Begin the other direction, and lead to both buckets by one address."""
        copying = PrimaryReplication(
            self,
            "PrimaryReplication",
            source=primary,
            destination=standby,
            role_arn=self._primary.value(REPLICATION_ROLE),
            log_key=log_key,
            log_retention=log_retention(config),
            removal_policy=removal_policy(config),
        )
        copying.resource.node.add_dependency(objects)
        self.access_point = ObjectAccessPoint(
            self,
            "ObjectAccessPoint",
            active=primary,
            passive=standby,
            log_key=log_key,
            log_retention=log_retention(config),
            removal_policy=removal_policy(config),
        )
        self.access_point.node.add_dependency(objects)
        cdk.CfnOutput(self, "ObjectAccessPointArn", value=self.access_point.arn)
