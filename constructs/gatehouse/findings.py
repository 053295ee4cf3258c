"""Acknowledged findings of the rule packs."""

from collections.abc import Mapping

import aws_cdk as cdk
from constructs import IConstruct


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Acknowledge findings of cdk-nag's AwsSolutions pack on one construct and what it contains.

    `reasons` maps a rule, with its `[...]` part where it has one (`"IAM5[Resource::*]"`), to the
    reason why the finding is safe here. The pack's name goes before each rule: without it a finding
    disappears from the validation report together with its reason.
    """
    cdk.Validations.of(construct).acknowledge(
        *(
            cdk.Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason)
            for rule, reason in reasons.items()
        )
    )
