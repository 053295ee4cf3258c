"""Acknowledged findings of the rule packs."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import IConstruct


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Acknowledge findings of cdk-nag's AwsSolutions pack on one construct and what it contains.

    `reasons` maps a rule, with its `[...]` part where it has one (`"IAM5[Resource::*]"`), to the
    reason why the finding is safe here.
    """
    _acknowledge(construct, "AwsSolutions", reasons)


def acknowledge_nist(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """The same for cdk-nag's pack of NIST 800-53, revision 5 (`"LambdaInsideVPC"`)."""
    _acknowledge(construct, "NIST.800.53.R5", reasons)


def acknowledge_role_policies(scope: IConstruct) -> None:
    """Acknowledge the policies in `scope` that belong to one role, which is what every grant makes."""
    for construct in scope.node.find_all():
        if isinstance(construct, iam.Policy):
            acknowledge_nist(
                construct,
                {
                    "IAMNoInlinePolicy": "One role's grants: no other principal can be given them, "
                    "and they end with the role."
                },
            )


def _acknowledge(construct: IConstruct, pack: str, reasons: Mapping[str, str]) -> None:
    # The pack's name goes before each rule: without it a finding disappears from the validation report
    # together with its reason.
    cdk.Validations.of(construct).acknowledge(
        *(cdk.Acknowledgment(id=f"{pack}::{pack}-{rule}", reason=reason) for rule, reason in reasons.items())
    )
