"""The cache that the gateway's tasks share."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.findings import acknowledge, acknowledge_nist

ENGINE = "valkey"
ENGINE_VERSION = "9.1"
PARAMETER_FAMILY = "valkey9"
# All that the gateway keeps expires, and what is used least recently goes first when memory is short: answers
# that nobody asks for again. Limits in use are touched by each request; of those that are not, calendar
# windows are rebuilt from the ledger. `noeviction` would refuse the scripts that count, `volatile-ttl` would
# drop the counters of a minute before answers kept for a day, `allkeys-*` would drop what another gateway
# keeps without an expiry because it is stored nowhere else yet.
PARAMETERS = {"maxmemory-policy": "volatile-lru"}
KEY_PREFIX = "gatehouse:"
# Scripts may run only commands that the user may run itself, so they cannot go around this.
ACCESS = (
    f"on ~{KEY_PREFIX}* &{KEY_PREFIX}* -@all "
    "+@read +@write +@connection +@transaction +@scripting +@pubsub +time -@dangerous"
)
# For another gateway, which has its own names for keys; administration stays ElastiCache's.
ACCESS_TO_ALL_KEYS = "on ~* &* +@all -@admin -@dangerous +info"
# In UTC, and in another hour than the database's, so that they are not away together.
MAINTENANCE_WINDOW = "sun:06:00-sun:07:00"


class Cache(Construct):
    """ElastiCache for Valkey with TLS, encryption at rest and one user, who signs in as an IAM principal.

    `access` says what the user `username` may do, by default touch keys and channels under `gatehouse:` and
    run no administrative command; `grant_connect` lets a principal be that user. With `replicas` it spans
    zones and fails over by itself. `name` is the replication group's ID, `nodes` are the IDs of its nodes.
    What it holds can be rebuilt, so it is removed with its stack and has no backups; `removal_policy` is that
    of its logs.
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
        user_id: str,
        access: str = ACCESS,
        node_type: str,
        replicas: int,
        port: int,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        subnet_group = elasticache.CfnSubnetGroup(
            self,
            "Subnets",
            description="The gateway's cache",
            subnet_ids=vpc.select_subnets(subnet_group_name=subnets.subnet_group_name).subnet_ids,
        )
        parameter_group = elasticache.CfnParameterGroup(
            self,
            "Parameters",
            cache_parameter_group_family=PARAMETER_FAMILY,
            description="The gateway's cache",
            properties=PARAMETERS,
        )
        self.replication_group = elasticache.CfnReplicationGroup(
            self,
            "ReplicationGroup",
            replication_group_description="Shared by the gateway's tasks",
            engine=ENGINE,
            engine_version=ENGINE_VERSION,
            cache_parameter_group_name=parameter_group.ref,
            cache_node_type=node_type,
            port=port,
            num_node_groups=1,
            replicas_per_node_group=replicas,
            automatic_failover_enabled=replicas > 0,
            multi_az_enabled=replicas > 0,
            cache_subnet_group_name=subnet_group.ref,
            security_group_ids=[security_group.security_group_id],
            user_group_ids=[self._user_group(user_id, access).ref],
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            at_rest_encryption_enabled=True,
            kms_key_id=encryption_key.key_arn,
            auto_minor_version_upgrade=True,
            preferred_maintenance_window=MAINTENANCE_WINDOW,
            log_delivery_configurations=[
                _delivery(f"{log}-log", self._log_group(log, log_key, log_retention, removal_policy))
                for log in ("slow", "engine")
            ],
        )
        self._acknowledge_findings(replicas)
        self.username = user_id
        self.name = self.replication_group.ref
        self.nodes = tuple(f"{self.name}-{number:03}" for number in range(1, replicas + 2))
        self.host = self.replication_group.attr_primary_end_point_address
        self.port = self.replication_group.attr_primary_end_point_port

    def grant_connect(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let a principal sign in to this cache as its one user."""
        return iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["elasticache:Connect"],
            resource_arns=[self._arn("replicationgroup", self.name), self._arn("user", self.username)],
        )

    def _user_group(self, user_id: str, access: str) -> elasticache.CfnUserGroup:
        user = elasticache.CfnUser(
            self,
            "User",
            engine=ENGINE,
            user_id=user_id,
            # IAM knows the user by one name.
            user_name=user_id,
            access_string=access,
            authentication_mode={"Type": "iam"},
        )
        return elasticache.CfnUserGroup(
            self, "UserGroup", engine=ENGINE, user_group_id=user_id, user_ids=[user.ref]
        )

    def _arn(self, resource: str, name: str) -> str:
        return cdk.Stack.of(self).format_arn(
            service="elasticache",
            resource=resource,
            resource_name=name,
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )

    def _log_group(
        self, log: str, key: kms.IKey, retention: logs.RetentionDays, removal_policy: cdk.RemovalPolicy
    ) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            f"{log.capitalize()}LogGroup",
            encryption_key=key,
            retention=retention,
            removal_policy=removal_policy,
        )

    def _acknowledge_findings(self, replicas: int) -> None:
        acknowledge(
            self.replication_group,
            {"AEC6": "The one user signs in as an IAM principal: there is no AUTH token to share."},
        )
        acknowledge_nist(
            self.replication_group,
            {
                "ElastiCacheRedisClusterAutomaticBackup": "What it holds is rebuilt from the ledger: a copy "
                "of it would be out of date at once."
            },
        )
        if not replicas:
            acknowledge(
                self.replication_group,
                {"AEC4": "The configuration asks for a single node; what it holds can be rebuilt."},
            )


def _delivery(
    log_type: str, log_group: logs.LogGroup
) -> elasticache.CfnReplicationGroup.LogDeliveryConfigurationRequestProperty:
    """Slow commands come with their names alone: ElastiCache leaves out keys and values."""
    configuration = elasticache.CfnReplicationGroup
    return configuration.LogDeliveryConfigurationRequestProperty(
        log_type=log_type,
        log_format="json",
        destination_type="cloudwatch-logs",
        destination_details=configuration.DestinationDetailsProperty(
            cloud_watch_logs_details=configuration.CloudWatchLogsDestinationDetailsProperty(
                log_group=log_group.log_group_name
            )
        ),
    )
