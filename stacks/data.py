"""The Data stack."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from gatehouse import alarms, names
from gatehouse.bootstrap_keys import BootstrapKeys
from gatehouse.cache import ACCESS, ACCESS_TO_ALL_KEYS, Cache
from gatehouse.cache_alarms import CacheAlarms
from gatehouse.container_settings import default_port
from gatehouse.database import Database
from gatehouse.database_alarms import DatabaseAlarms, ReplicaAlarm, ReplicationSlotAlarm
from gatehouse.database_replica import DatabaseReplica
from gatehouse.key_hashing_secret import KeyHashingSecret
from gatehouse.keys import CopyRegion, copied_to
from gatehouse.network import Network
from gatehouse.object_replication import BucketPlace, ReplicationAlarms, ReplicationRole
from gatehouse.object_store import LogBucket, ObjectStore
from gatehouse.security_groups import SecurityGroups
from stacks.config.model import Environment
from stacks.lifetimes import log_retention, removal_policy
from stacks.regional_stack import RegionalStack

DATABASE_NAME = "gatehouse"
# What the standby's stack asks for.
BOOTSTRAP_KEYS = "BootstrapKeysSecretArn"
KEY_HASHING = "KeyHashingSecretArn"
REPLICATION_ROLE = "ObjectReplicationRoleArn"


class DataStack(RegionalStack):
    """Everything the gateway keeps: database, cache, objects and secrets.

    With a standby region all but the cache is copied there.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: Environment,
        network: Network,
        security_groups: SecurityGroups,
        data_key: kms.IKey,
        log_key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id, config=config)
        self.topic_arn = alarms.topic_arn(self, names.alarm_topic(config.name))
        self.database = self._database(config, network, security_groups, data_key, log_key)
        self._cache = None
        if config.runs_gateways:
            self._cache = self._create_cache(config, network, security_groups, data_key, log_key)
        self._create_alarms(config)
        self.bootstrap_keys, self.key_hashing_secret = self._secrets(config, data_key, log_key)
        logs = LogBucket(self, "AccessLogs", retention=cdk.Duration.days(config.log_retention_days))
        self.objects = self._objects(config, logs.bucket, data_key, log_key)
        cdk.CfnOutput(self, BOOTSTRAP_KEYS, value=self.bootstrap_keys.secret_arn)
        if config.standby_region is not None:
            cdk.CfnOutput(self, KEY_HASHING, value=self.key_hashing_secret.secret_arn)
            # Without a standby the Service stack imports it. Where one is added this stack is deployed before
            # that one lets go, and CloudFormation removes no output that is in use.
            self.export_value(self.database.instance.instance_resource_id)
        cdk.CfnOutput(self, "ObjectStoreBucketName", value=self.objects.bucket.bucket_name)

    @property
    def cache(self) -> Cache:
        """What gateways share. Raises ValueError where none run."""
        if self._cache is None:
            raise ValueError(f"{self.stack_name} has no cache: no gateway runs in a cold standby")
        return self._cache

    def _database(
        self,
        config: Environment,
        network: Network,
        security_groups: SecurityGroups,
        data_key: kms.IKey,
        log_key: kms.IKey,
    ) -> Database | DatabaseReplica:
        copies = _copies(config, data_key)
        return Database(
            self,
            "Database",
            vpc=network.vpc,
            subnets=network.data_subnets,
            security_group=security_groups.database,
            encryption_key=data_key,
            log_key=log_key,
            log_retention=log_retention(config),
            instance_identifier=names.database_instance(config.name),
            instance_class=config.database.instance_class,
            database_name=DATABASE_NAME,
            storage_gib=config.database.storage_gib,
            storage_limit_gib=config.database.storage_limit_gib,
            multi_az=config.database.multi_az,
            backup_retention=cdk.Duration.days(config.database.backup_days),
            in_backup_plan=config.backup.enabled,
            deletion_protection=config.database.deletion_protection,
            removal_policy=removal_policy(config),
            copies=copies,
            kept_for_replica_mib=kept_for_replica_mib(config) if copies else None,
        )

    def _secrets(
        self, config: Environment, data_key: kms.IKey, _log_key: kms.IKey
    ) -> tuple[secretsmanager.ISecret, secretsmanager.ISecret]:
        """What new gateways start with, and what they hash keys with."""
        policy = removal_policy(config)
        copies = _copies(config, data_key)
        keys = BootstrapKeys(
            self, "BootstrapKeys", encryption_key=data_key, removal_policy=policy, copies=copies
        )
        hashing = KeyHashingSecret(
            self, "KeyHashing", encryption_key=data_key, removal_policy=policy, copies=copies
        )
        return keys.secret, hashing.secret

    def _objects(
        self, config: Environment, access_logs: s3.IBucket, data_key: kms.IKey, _log_key: kms.IKey
    ) -> ObjectStore:
        if config.standby_region is None:
            return ObjectStore(
                self,
                "ObjectStore",
                encryption_key=data_key,
                access_logs=access_logs,
                removal_policy=removal_policy(config),
            )
        objects = ObjectStore(
            self,
            "ObjectStore",
            encryption_key=data_key,
            access_logs=access_logs,
            removal_policy=removal_policy(config),
            account_regional_prefix=names.object_store_prefix(config.name),
            not_copied="The standby's stack has it copied, once there is a bucket to copy into.",
        )
        here = bucket_place(config, config.region, data_key)
        there = bucket_place(config, config.standby_region, data_key)
        replication = ReplicationRole(self, "ObjectReplication", source=here, destination=there)
        ReplicationAlarms(
            self,
            "ObjectReplicationAlarms",
            source=here.name,
            destination=there.name,
            topic_arn=self.topic_arn,
        )
        cdk.CfnOutput(self, REPLICATION_ROLE, value=replication.role.role_arn)
        return objects

    def _create_cache(
        self,
        config: Environment,
        network: Network,
        security_groups: SecurityGroups,
        data_key: kms.IKey,
        log_key: kms.IKey,
    ) -> Cache:
        return Cache(
            self,
            "Cache",
            vpc=network.vpc,
            subnets=network.data_subnets,
            security_group=security_groups.cache,
            encryption_key=data_key,
            log_key=log_key,
            log_retention=log_retention(config),
            user_id=names.cache_user(config.name),
            node_type=config.cache.node_type,
            replicas=config.cache.replicas,
            access=ACCESS if config.image.profile == "gatehouse" else ACCESS_TO_ALL_KEYS,
            port=default_port("cache_port"),
            removal_policy=removal_policy(config),
        )

    def _create_alarms(self, config: Environment) -> None:
        DatabaseAlarms(
            self,
            "DatabaseAlarms",
            instance=self.database.instance,
            memory_gib=config.database.memory_gib,
            storage_gib=config.database.storage_gib,
            topic_arn=self.topic_arn,
        )
        if config.standby_region is not None:
            self._create_replication_alarms(config)
        if self._cache is not None:
            CacheAlarms(self, "CacheAlarms", nodes=self._cache.nodes, topic_arn=self.topic_arn)

    def _create_replication_alarms(self, config: Environment) -> None:
        """The same in both regions: a failover changes which of them has the source."""
        ReplicaAlarm(
            self,
            "Replication",
            replica=self.database.instance,
            recovery_point=cdk.Duration.seconds(config.standby.recovery_point_seconds),
            topic_arn=self.topic_arn,
            is_replica=config.is_standby,
        )
        ReplicationSlotAlarm(
            self,
            "ReplicationSlot",
            source=self.database.instance,
            limit_mib=kept_for_replica_mib(config),
            topic_arn=self.topic_arn,
        )


def bucket_place(config: Environment, region: str, key: kms.IKey) -> BucketPlace:
    """The gateway's bucket in one of the environment's two regions; `key` is its key in either."""
    return BucketPlace(
        name=names.object_store(config.name, config.account, region),
        region=region,
        key_arn=key.key_arn if region == config.region else copied_to(region, key).key_arn,
    )


def _copies(config: Environment, key: kms.IKey) -> CopyRegion | None:
    return None if config.standby_region is None else copied_to(config.standby_region, key)


def kept_for_replica_mib(config: Environment) -> int:
    """A quarter of the storage that the database begins with: hours in which its replica may be away."""
    return config.database.storage_gib * 1024 // 4
