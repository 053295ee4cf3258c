"""The cache that the gateway's tasks share."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from gatehouse.findings import acknowledge
from gatehouse.generated_secret import GeneratedSecret

ENGINE = "valkey"
ENGINE_VERSION = "9.1"
KEY_PREFIX = "gatehouse:"
USER = "gateway"
# Scripts may run only commands that the user may run itself, so they cannot go around this.
ACCESS = (
    f"on ~{KEY_PREFIX}* &{KEY_PREFIX}* -@all "
    "+@read +@write +@connection +@transaction +@scripting +@pubsub +time -@dangerous"
)
PASSWORD_LENGTH = 64


class Cache(Construct):
    """ElastiCache for Valkey with TLS, encryption at rest and one user, whose password is in `secret`.

    The user `gateway` may touch keys and channels under `gatehouse:` alone and run no administrative
    command. With `replicas` it spans zones and fails over by itself. What it holds can be rebuilt, so
    it is removed with its stack and has no backups.
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
        user_id: str,
        node_type: str,
        replicas: int,
        port: int,
    ) -> None:
        super().__init__(scope, construct_id)
        self.username = USER
        self.secret: secretsmanager.ISecret = GeneratedSecret(
            self,
            "Password",
            description="Password of the gateway's cache user",
            field="password",
            length=PASSWORD_LENGTH,
            encryption_key=encryption_key,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        group = self._user_group(user_id)
        subnet_group = elasticache.CfnSubnetGroup(
            self,
            "Subnets",
            description="The gateway's cache",
            subnet_ids=vpc.select_subnets(subnet_group_name=subnets.subnet_group_name).subnet_ids,
        )
        self.replication_group = elasticache.CfnReplicationGroup(
            self,
            "ReplicationGroup",
            replication_group_description="Shared by the gateway's tasks",
            engine=ENGINE,
            engine_version=ENGINE_VERSION,
            cache_node_type=node_type,
            port=port,
            num_node_groups=1,
            replicas_per_node_group=replicas,
            automatic_failover_enabled=replicas > 0,
            multi_az_enabled=replicas > 0,
            cache_subnet_group_name=subnet_group.ref,
            security_group_ids=[security_group.security_group_id],
            user_group_ids=[group.ref],
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            at_rest_encryption_enabled=True,
            kms_key_id=encryption_key.key_arn,
            auto_minor_version_upgrade=True,
        )
        self._acknowledge_findings(replicas)
        self.host = self.replication_group.attr_primary_end_point_address
        self.port = self.replication_group.attr_primary_end_point_port

    def _acknowledge_findings(self, replicas: int) -> None:
        acknowledge(
            self.secret,
            {"SMG4": "Cache and tasks take a new password together: rotation alone would lock tasks out."},
        )
        acknowledge(
            self.replication_group,
            {"AEC6": "Access control by user replaces the shared AUTH token: the one user has a password."},
        )
        if not replicas:
            acknowledge(
                self.replication_group,
                {"AEC4": "The configuration asks for a single node; what it holds can be rebuilt."},
            )

    def _user_group(self, user_id: str) -> elasticache.CfnUserGroup:
        # A dynamic reference: CloudFormation reads the password, the template never holds it.
        password = self.secret.secret_value_from_json("password").unsafe_unwrap()
        user = elasticache.CfnUser(
            self,
            "User",
            engine=ENGINE,
            user_id=user_id,
            user_name=USER,
            access_string=ACCESS,
            passwords=[password],
        )
        return elasticache.CfnUserGroup(
            self, "UserGroup", engine=ENGINE, user_group_id=user_id, user_ids=[user.ref]
        )
