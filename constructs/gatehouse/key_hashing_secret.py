"""What the gateway hashes API keys with."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from gatehouse.findings import acknowledge, acknowledge_nist
from gatehouse.generated_secret import GeneratedSecret
from gatehouse.keys import CopyRegion

FIELD = "secret"
LENGTH = 64


class KeyHashingSecret(Construct):
    """A generated secret, `{"secret": "..."}`: the database holds API keys only as hashes keyed with it.

    With another value no key that was ever handed out is valid any more.
    """

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
            description="What the gateway hashes API keys with: a new value makes every key invalid",
            field=FIELD,
            length=LENGTH,
            encryption_key=encryption_key,
            removal_policy=removal_policy,
            copies=copies,
        )
        reason = "Hashes cannot be made anew without the keys: rotation makes every API key invalid."
        acknowledge(self.secret, {"SMG4": reason})
        acknowledge_nist(self.secret, {"SecretsManagerRotationEnabled": reason})
