"""The Keys stack."""

import aws_cdk as cdk
from constructs import Construct

from gatehouse import names
from gatehouse.keys import EncryptionKeys
from stacks.config.model import Environment
from stacks.lifetimes import removal_policy


class KeysStack(cdk.Stack):
    """The KMS keys, before everything that they encrypt."""

    def __init__(self, scope: Construct, construct_id: str, *, config: Environment) -> None:
        super().__init__(scope, construct_id, termination_protection=config.termination_protection)
        keys = EncryptionKeys(
            self,
            "EncryptionKeys",
            data_key_alias=names.data_key_alias(config.name),
            removal_policy=removal_policy(config),
        )
        self.data_key = keys.data
        self.log_key = keys.logs
