"""The Data stack."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse import alarms, names
from gatehouse.bootstrap_keys import BootstrapKeys
from gatehouse.cache import ACCESS, ACCESS_TO_ALL_KEYS, Cache
from gatehouse.cache_alarms import CacheAlarms
from gatehouse.container_settings import default_port
from gatehouse.database import Database
from gatehouse.database_alarms import DatabaseAlarms
from gatehouse.key_hashing_secret import KeyHashingSecret
from gatehouse.network import Network
from gatehouse.object_store import LogBucket, ObjectStore
from gatehouse.security_groups import SecurityGroups
from stacks.config.model import Environment
from stacks.lifetimes import log_retention, removal_policy


class DataStack(cdk.Stack):
    """Everything the gateway keeps: database, cache, objects and secrets."""

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
        super().__init__(scope, construct_id, termination_protection=config.termination_protection)
        self.database = self._database(config, network, security_groups, data_key, log_key)
        self.cache = self._cache(config, network, security_groups, data_key, log_key)
        self._create_alarms(config)
        policy = removal_policy(config)
        self.bootstrap_keys = BootstrapKeys(
            self, "BootstrapKeys", encryption_key=data_key, removal_policy=policy
        )
        self.key_hashing_secret = KeyHashingSecret(
            self, "KeyHashing", encryption_key=data_key, removal_policy=policy
        )
        logs = LogBucket(self, "AccessLogs", retention=cdk.Duration.days(config.log_retention_days))
        self.objects = ObjectStore(
            self, "ObjectStore", encryption_key=data_key, access_logs=logs.bucket, removal_policy=policy
        )
        cdk.CfnOutput(self, "BootstrapKeysSecretArn", value=self.bootstrap_keys.secret.secret_arn)
        cdk.CfnOutput(self, "ObjectStoreBucketName", value=self.objects.bucket.bucket_name)

    def _database(
        self,
        config: Environment,
        network: Network,
        security_groups: SecurityGroups,
        data_key: kms.IKey,
        log_key: kms.IKey,
    ) -> Database:
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
            database_name="gatehouse",
            storage_gib=config.database.storage_gib,
            storage_limit_gib=config.database.storage_limit_gib,
            multi_az=config.database.multi_az,
            backup_retention=cdk.Duration.days(config.database.backup_days),
            in_backup_plan=config.backup.enabled,
            deletion_protection=config.database.deletion_protection,
            removal_policy=removal_policy(config),
        )

    def _cache(
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
        topic_arn = alarms.topic_arn(self, names.alarm_topic(config.name))
        DatabaseAlarms(
            self,
            "DatabaseAlarms",
            instance=self.database.instance,
            memory_gib=config.database.memory_gib,
            storage_gib=config.database.storage_gib,
            topic_arn=topic_arn,
        )
        CacheAlarms(self, "CacheAlarms", nodes=self.cache.nodes, topic_arn=topic_arn)
