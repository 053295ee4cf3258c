"""Secrets that nobody has to invent."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct


class GeneratedSecret(secretsmanager.Secret):
    """A secret that holds a JSON object with one `field`: random letters and digits, `length` of them.

    CloudFormation generates another value when `field` or `length` changes. The secret's own policy lets
    nobody in: it forbids what comes from other accounts, whatever they are granted, and what comes without
    TLS.
    """

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
        self._deny(
            "OtherAccounts",
            {
                "StringNotEquals": {"aws:PrincipalAccount": cdk.Stack.of(self).account},
                # A service's own principals, such as replication's, belong to no account.
                "Bool": {"aws:PrincipalIsAWSService": "false"},
            },
        )
        self._deny("PlainText", {"Bool": {"aws:SecureTransport": "false"}})

    def _deny(self, sid: str, conditions: Mapping[str, Mapping[str, str]]) -> None:
        self.add_to_resource_policy(
            iam.PolicyStatement(
                sid=sid,
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["secretsmanager:*"],
                resources=["*"],  # in a secret's policy this is the secret itself
                conditions=conditions,
            )
        )
