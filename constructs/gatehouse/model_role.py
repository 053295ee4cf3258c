"""The role by which the gateway calls another account's models."""

from collections.abc import Mapping, Sequence
from typing import Literal

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from gatehouse.findings import acknowledge
from gatehouse.model_access import ModelCalls
from gateway.catalog import BedrockDeployment, SageMakerDeployment

# Of a role that another role assumes: AWS allows no more.
SESSION = cdk.Duration.hours(1)


class ModelRole(Construct):
    """A role that may call some deployments, and that the roles in `trusted_role_arns` may assume.

    They are trusted by their account's root and their exact ARN, not as principals: a role that does not
    exist yet can be trusted, and one that is made again under its name is trusted still. Every session needs
    the external ID and exactly the tags in `session_tags`, which cost reports and CloudTrail show.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        role_arn: str,
        deployments: Sequence[BedrockDeployment | SageMakerDeployment],
        bedrock_authentication: Literal["signature", "bearer"],
        trusted_role_arns: Sequence[str],
        external_id: str,
        session_tags: Mapping[str, str],
    ) -> None:
        super().__init__(scope, construct_id)
        path, _, name = role_arn.partition(":role")[2].rpartition("/")
        tagged = {f"aws:RequestTag/{key}": value for key, value in session_tags.items()}
        trusted = _by_account(trusted_role_arns)
        self.role = iam.Role(
            self,
            "Role",
            role_name=name,
            path=f"{path}/",
            description="Calls this account's models for Gatehouse",
            max_session_duration=SESSION,
            assumed_by=iam.CompositePrincipal(
                *(
                    iam.PrincipalWithConditions(
                        iam.AccountPrincipal(account),
                        {
                            "ArnEquals": {"aws:PrincipalArn": arns},
                            "StringEquals": {"sts:ExternalId": external_id, **tagged},
                        },
                    )
                    for account, arns in trusted.items()
                )
            ),
        )
        self._let_tag_sessions(trusted, tagged, list(session_tags))
        self._let_call(
            ModelCalls(cdk.Stack.of(self), deployments, bedrock_authentication=bedrock_authentication)
        )

    def _let_tag_sessions(
        self, trusted: Mapping[str, list[str]], tagged: Mapping[str, str], keys: list[str]
    ) -> None:
        # A statement of its own: AWS does not say that tagging a session carries the external ID.
        assert self.role.assume_role_policy is not None  # noqa: S101 (a role of this stack has one)
        for account, arns in trusted.items():
            self.role.assume_role_policy.add_statements(
                iam.PolicyStatement(
                    actions=["sts:TagSession"],
                    principals=[iam.AccountPrincipal(account)],
                    conditions={
                        "ArnEquals": {"aws:PrincipalArn": arns},
                        "StringEquals": dict(tagged),
                        "ForAllValues:StringEquals": {"aws:TagKeys": keys},
                    },
                )
            )

    def _let_call(self, calls: ModelCalls) -> None:
        for statement in calls.statements:
            self.role.add_to_policy(statement)
        acknowledge(
            self.role,
            {f"IAM5[Resource::{resource}]": reason for resource, reason in calls.open_resources.items()},
        )


def _by_account(role_arns: Sequence[str]) -> dict[str, list[str]]:
    """Role ARNs by the account that they are in."""
    accounts = sorted({arn.split(":")[4] for arn in role_arns})
    return {account: sorted(arn for arn in role_arns if arn.split(":")[4] == account) for account in accounts}
