"""Functions that Cognito asks in the course of a sign-in."""

from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.findings import acknowledge_nist

FUNCTIONS = Path(__file__).parent / "functions"
# Cognito waits no longer, and asks three times.
TIME_LIMIT = cdk.Duration.seconds(5)


class SignInFunction(Construct):
    """The function of the folder `functions/<name>`: it may write its log, and nothing else in AWS."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        description: str,
        environment: Mapping[str, str],
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        log = logs.LogGroup(
            self, "LogGroup", encryption_key=log_key, retention=log_retention, removal_policy=removal_policy
        )
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log.grant_write(role)
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            code=lambda_.Code.from_asset(str(FUNCTIONS / name), exclude=["__pycache__"]),
            handler="index.on_event",
            environment=dict(environment),
            timeout=TIME_LIMIT,
            memory_size=256,
            log_group=log,
            role=role,
        )
        acknowledge_nist(
            self.function,
            {
                "LambdaInsideVPC": "It opens no connection, so that there is nothing a VPC could confine.",
                "LambdaDLQ": "Cognito calls it and waits: a failure is told to the person who signs in.",
                "LambdaConcurrency": "A reserve would cap sign-ins; new accounts have nothing to reserve.",
            },
        )
