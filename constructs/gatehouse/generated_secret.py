"""Secrets that nobody has to invent."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from gatehouse.keys import CopyRegion


class GeneratedSecret(secretsmanager.Secret):
    """A secret that holds a JSON object with one `field`: random letters and digits, `length` of them.

    CloudFormation generates another value when `field` or `length` changes. The secret's own policy lets
    nobody in: it forbids what comes from other accounts, whatever they are granted, and what comes without
    TLS. `copies` is another region that has it too, under the same name and with the same policy.
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
        copies: CopyRegion | None = None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            description=description,
            encryption_key=encryption_key,
            replica_regions=[_replica(scope, copies)] if copies else None,
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


def copied_secret(scope: Construct, construct_id: str, original_arn: str) -> secretsmanager.ISecret:
    """The copy, in this region, of another region's secret: their ARNs differ in the region alone."""
    stack = cdk.Stack.of(scope)
    own_arn = stack.format_arn(
        service="secretsmanager",
        resource="secret",
        resource_name=cdk.Fn.select(6, cdk.Fn.split(":", original_arn)),
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )
    return secretsmanager.Secret.from_secret_complete_arn(scope, construct_id, own_arn)


def _replica(scope: Construct, copies: CopyRegion) -> secretsmanager.ReplicaRegion:
    key = kms.Key.from_key_arn(scope, "KeyOfCopy", copies.key_arn)
    return secretsmanager.ReplicaRegion(region=copies.region, encryption_key=key)
