"""The section `audit`."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from gateway.validation import Breach, refuse
from stacks.config.section import Section

SecurityStandard = Literal["aws-foundational", "cis", "nist-800-53"]


class Audit(Section):
    """What is recorded of who did what in the account, and what watches it."""

    trail: Annotated[
        Literal["own", "organization"],
        Field(
            description="A CloudTrail trail of this account, or the organization's, which is there already."
        ),
    ] = "own"
    object_lock: Annotated[
        Literal["none", "governance", "compliance"],
        Field(
            description="Who may remove the trail's records before their time: anyone who may delete objects "
            "(none), only who may bypass governance, or nobody, not even the account's root user.",
        ),
    ] = "governance"
    retention_days: Annotated[
        int,
        Field(
            ge=1, le=3653, examples=[365], description="Days that the trail's records are kept, and locked."
        ),
    ] = 365
    insights: Annotated[
        bool, Field(description="CloudTrail Insights: unusual rates of calls and errors, paid by the event.")
    ] = False
    config_rules: Annotated[
        Literal["none", "rules", "recorder"],
        Field(
            description="AWS Config: nothing; rules, where the organization records already; or rules and "
            "the account's one recorder.",
        ),
    ] = "none"
    security_hub: Annotated[
        tuple[SecurityStandard, ...],
        Field(
            examples=[["aws-foundational", "nist-800-53"]],
            description="Standards of Security Hub to judge the account by; none where the organization "
            "manages Security Hub.",
        ),
    ] = ()
    threat_detection: Annotated[
        bool, Field(description="GuardDuty; leave it out where the organization manages it.")
    ] = False

    @field_validator("security_hub")
    @classmethod
    def _standards_differ(cls, standards: tuple[SecurityStandard, ...]) -> tuple[SecurityStandard, ...]:
        for index, standard in enumerate(standards):
            if standard in standards[:index]:
                refuse([Breach((index,), standard, "each standard once", "remove it")])
        return standards

    @property
    def is_elsewhere(self) -> bool:
        """Whether the organization does it all, so that there is nothing to deploy."""
        here = (
            self.trail == "own" or self.config_rules != "none" or self.security_hub or self.threat_detection
        )
        return not here
