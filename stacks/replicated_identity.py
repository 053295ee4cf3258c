"""The Identity stack of the standby region."""

from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse import names
from gatehouse.other_region_outputs import OtherRegionOutputs
from gatehouse.user_pool_replica import ActiveReplica
from stacks.identity import USER_POOL, IdentityStack, client_outputs, membership
from stacks.lifetimes import log_retention, removal_policy
from stacks.standby import StandbyEnvironment


class ReplicatedIdentityStack(IdentityStack):
    """The user pool's copy, which signs in whom it knows while the other region is away."""

    directory = None

    def __init__(
        self, scope: Construct, construct_id: str, *, config: StandbyEnvironment, log_key: kms.IKey
    ) -> None:
        super().__init__(scope, construct_id, config=config)
        clients = client_outputs(config.identity)
        primary = OtherRegionOutputs(
            self,
            "Primary",
            stack_name=names.stack(config.name, "Identity"),
            region=config.primary_region,
            outputs=(USER_POOL, *clients),
            log_key=log_key,
            log_retention=log_retention(config),
            removal_policy=removal_policy(config),
        )
        members = membership(config.identity)
        user_pool_id = primary.value(USER_POOL)
        ActiveReplica(
            self,
            "Replica",
            user_pool=cognito.UserPool.from_user_pool_id(self, "UserPool", user_pool_id),
            providers=members.providers,
            allowed_domains=members.allowed_domains,
            threat_protection=members.threat_protection,
            log_group_name=names.sign_in_log_group(config.name),
            log_key=log_key,
            log_retention=log_retention(config),
            removal_policy=removal_policy(config),
        )
        self._accept(
            config, user_pool_id=user_pool_id, client_ids=[primary.value(client) for client in clients]
        )
