"""The Keys stack."""

import aws_cdk as cdk
from constructs import Construct

from gatehouse import names
from gatehouse.keys import EncryptionKeys, ReplicaKeys
from gatehouse.other_region_outputs import OtherRegionOutputs
from stacks.config.model import Environment
from stacks.lifetimes import log_retention, removal_policy
from stacks.regional_stack import RegionalStack

DATA_KEY, LOG_KEY = "DataKeyArn", "LogKeyArn"


class KeysStack(RegionalStack):
    """The KMS keys, before everything that they encrypt; in the standby region their copies."""

    def __init__(self, scope: Construct, construct_id: str, *, config: Environment) -> None:
        super().__init__(scope, construct_id, config=config)
        keys = self._copies(config) if config.is_standby else self._keys(config)
        self.data_key = keys.data
        self.log_key = keys.logs

    def _keys(self, config: Environment) -> EncryptionKeys:
        is_copied = config.standby_region is not None
        keys = EncryptionKeys(
            self,
            "EncryptionKeys",
            data_key_alias=names.data_key_alias(config.name),
            removal_policy=removal_policy(config),
            log_key_alias=names.log_key_alias(config.name) if is_copied else None,
            user_pools_of=config.region if is_copied else None,
        )
        if is_copied:
            cdk.CfnOutput(self, DATA_KEY, value=keys.data.key_arn)
            cdk.CfnOutput(self, LOG_KEY, value=keys.logs.key_arn)
        return keys

    def _copies(self, config: Environment) -> ReplicaKeys:
        primary = OtherRegionOutputs(
            self,
            "Primary",
            stack_name=names.stack(config.name, "Keys"),
            region=config.primary_region,
            outputs=(DATA_KEY, LOG_KEY),
            log_key=None,
            log_retention=log_retention(config),
            removal_policy=removal_policy(config),
        )
        return ReplicaKeys(
            self,
            "EncryptionKeys",
            primary_data=primary.value(DATA_KEY),
            primary_logs=primary.value(LOG_KEY),
            data_key_alias=names.data_key_alias(config.name),
            log_key_alias=names.log_key_alias(config.name),
            user_pools_of=config.primary_region,
            removal_policy=removal_policy(config),
        )
