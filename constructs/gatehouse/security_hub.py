"""Services that judge and watch the whole account."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_guardduty as guardduty
from aws_cdk import aws_securityhub as securityhub
from constructs import Construct

# The name in the configuration and the end of the ARN.
STANDARDS = {
    "aws-foundational": "aws-foundational-security-best-practices/v/1.0.0",
    "cis": "cis-aws-foundations-benchmark/v/3.0.0",
    "nist-800-53": "nist-800-53/v/5.0.0",
}
PROTECTED_BY_GUARDDUTY = ("S3_DATA_EVENTS", "RDS_LOGIN_EVENTS", "LAMBDA_NETWORK_LOGS")


class SecurityHub(Construct):
    """Security Hub in this account and region, with `standards` (keys of `STANDARDS`) and no others.

    An account has one hub: deploying it fails where there is one already. Its standards judge what AWS
    Config has recorded.
    """

    def __init__(self, scope: Construct, construct_id: str, *, standards: Sequence[str]) -> None:
        super().__init__(scope, construct_id)
        hub = securityhub.CfnHub(
            self,
            "Hub",
            enable_default_standards=False,
            auto_enable_controls=True,
            control_finding_generator="SECURITY_CONTROL",
        )
        for name in standards:
            standard = securityhub.CfnStandard(
                self,
                name,
                standards_arn=cdk.Stack.of(self).format_arn(
                    service="securityhub", account="", resource="standards", resource_name=STANDARDS[name]
                ),
            )
            standard.add_dependency(hub)


class ThreatDetection(Construct):
    """GuardDuty in this account and region, for the services that the platform runs on.

    An account has one detector: deploying it fails where there is one already.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        guardduty.CfnDetector(
            self,
            "Detector",
            enable=True,
            finding_publishing_frequency="FIFTEEN_MINUTES",
            features=[
                guardduty.CfnDetector.CFNFeatureConfigurationProperty(name=name, status="ENABLED")
                for name in PROTECTED_BY_GUARDDUTY
            ],
        )
