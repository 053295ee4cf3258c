"""Secrets that nobody has to invent."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct


class GeneratedSecret(secretsmanager.Secret):
    """A secret that holds a JSON object with one `field`: random letters and digits, `length` of them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        description: str,
        field: str,
        length: int,
        encryption_key: kms.IKey,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            description=description,
            encryption_key=encryption_key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template="{}",  # noqa: S106 (the object that the field is added to)
                generate_string_key=field,
                password_length=length,
                exclude_punctuation=True,
            ),
            removal_policy=removal_policy,
        )
