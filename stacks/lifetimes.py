"""How long things stay: what an environment's configuration says, in the CDK's terms."""

import aws_cdk as cdk
from aws_cdk import aws_logs as logs

from stacks.config.model import Environment

_LOG_RETENTION = {
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    731: logs.RetentionDays.TWO_YEARS,
}


def removal_policy(config: Environment) -> cdk.RemovalPolicy:
    """What becomes of stored data when it leaves its stack: kept where stacks are protected, else removed."""
    if not config.termination_protection:
        return cdk.RemovalPolicy.DESTROY
    # Not plain RETAIN: a failed first deployment would leave names behind that the next one needs.
    return cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE


def log_retention(config: Environment) -> logs.RetentionDays:
    """How long CloudWatch Logs keeps the environment's logs."""
    return _LOG_RETENTION[config.log_retention_days]
