"""Acknowledged findings of the rule packs."""

from collections.abc import Mapping

import aws_cdk as cdk
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


def _acknowledge(construct: IConstruct, pack: str, reasons: Mapping[str, str]) -> None:
    # The pack's name goes before each rule: without it a finding disappears from the validation report
    # together with its reason.
    cdk.Validations.of(construct).acknowledge(
        *(cdk.Acknowledgment(id=f"{pack}::{pack}-{rule}", reason=reason) for rule, reason in reasons.items())
    )
