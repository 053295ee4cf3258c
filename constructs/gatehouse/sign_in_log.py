"""What the user pool writes down."""

import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.findings import acknowledge_nist


class SignInLog(Construct):
    """Mails that could not be sent and, with `threat_protection`, each sign-in with its risk."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        user_pool: cognito.IUserPool,
        log_group_name: str,
        threat_protection: bool,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        log_group = logs.LogGroup(
            self,
            "LogGroup",
            log_group_name=log_group_name,
            retention=log_retention,
            removal_policy=removal_policy,
        )
        reason = (
            "Cognito delivers to no log group with a customer's key; CloudWatch encrypts it with its own."
        )
        acknowledge_nist(log_group, {"CloudWatchLogGroupEncrypted": reason})
        # log_group_arn ends in ":*", which Cognito refuses.
        arn = cdk.Stack.of(self).format_arn(
            service="logs",
            resource="log-group",
            resource_name=log_group.log_group_name,
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        events = {"userNotification": "ERROR"} | ({"userAuthEvents": "INFO"} if threat_protection else {})
        delivery = cognito.CfnLogDeliveryConfiguration
        delivery(
            self,
            "Delivery",
            user_pool_id=user_pool.user_pool_id,
            log_configurations=[
                delivery.LogConfigurationProperty(
                    event_source=source,
                    log_level=level,
                    cloud_watch_logs_configuration=delivery.CloudWatchLogsConfigurationProperty(
                        log_group_arn=arn
                    ),
                )
                for source, level in events.items()
            ],
        )
