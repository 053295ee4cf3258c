"""The API keys a new gateway starts with."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from gatehouse.findings import acknowledge, acknowledge_nist
from gatehouse.generated_secret import GeneratedSecret
from gatehouse.keys import CopyRegion

FIRST_CALLER = "bootstrap"
KEY_LENGTH = 48


class BootstrapKeys(Construct):
    """A secret with one generated API key: a JSON object of caller name to key, `{"bootstrap": "..."}`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        encryption_key: kms.IKey,
        removal_policy: cdk.RemovalPolicy,
        copies: CopyRegion | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.secret: secretsmanager.ISecret = GeneratedSecret(
            self,
            "Secret",
            description="The gateway's bootstrap API keys: caller name to key",
            field=FIRST_CALLER,
            length=KEY_LENGTH,
            encryption_key=encryption_key,
            removal_policy=removal_policy,
            copies=copies,
        )
        reason = "Its owner hands the key to a caller: replacing it unasked would lock that caller out."
        acknowledge(self.secret, {"SMG4": reason})
        acknowledge_nist(self.secret, {"SecretsManagerRotationEnabled": reason})
