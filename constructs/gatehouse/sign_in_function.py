"""Functions that Cognito asks in the course of a sign-in."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.findings import acknowledge_nist
from gatehouse.python_function import PythonFunction

# Cognito waits no longer, and asks three times.
TIME_LIMIT = cdk.Duration.seconds(5)


class SignInFunction(PythonFunction):
    """The function of the folder `functions/<handler>`: it may write its log, and nothing else in AWS."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        handler: str,
        description: str,
        environment: Mapping[str, str],
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            handler=handler,
            description=description,
            timeout=TIME_LIMIT,
            environment=environment,
            log_key=log_key,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        acknowledge_nist(
            self.function,
            {
                "LambdaInsideVPC": "It opens no connection, so that there is nothing a VPC could confine.",
                "LambdaDLQ": "Cognito calls it and waits: a failure is told to the person who signs in.",
                "LambdaConcurrency": "A reserve would cap sign-ins; new accounts have nothing to reserve.",
            },
        )
