"""Functions that Cognito asks in the course of a sign-in."""

import json
from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.federation import Provider
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


class SignInFunctions:
    """Makes the functions that the user pool, or its copy, asks: within `scope`."""

    def __init__(
        self,
        scope: Construct,
        *,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        self._scope = scope
        self._log_key, self._log_retention, self._removal_policy = log_key, log_retention, removal_policy

    def pre_token(self, providers: Sequence[Provider]) -> lambda_.Function:
        """Writes projects and roles into tokens; `providers` say which of their groups give which roles."""
        roles = {provider.name: dict(provider.roles) for provider in providers}
        return self._function(
            "pre_token",
            "Writes people's projects and roles into their tokens",
            PROVIDER_ROLES=json.dumps(roles),
        )

    def pre_sign_up(self, allowed_domains: Sequence[str]) -> lambda_.Function:
        """Keeps addresses of other domains out."""
        return self._function(
            "pre_sign_up",
            "Refuses accounts to addresses of other domains",
            ALLOWED_DOMAINS=",".join(allowed_domains),
        )

    def custom_message(self, *, platform_name: str, platform_url: str) -> lambda_.Function:
        """Words what is sent to people."""
        return self._function(
            "custom_message",
            "Words the mails to people",
            PLATFORM_NAME=platform_name,
            PLATFORM_URL=platform_url,
        )

    def _function(self, name: str, description: str, **environment: str) -> lambda_.Function:
        return SignInFunction(
            self._scope,
            "".join(word.capitalize() for word in name.split("_")),
            handler=name,
            description=description,
            environment=environment,
            log_key=self._log_key,
            log_retention=self._log_retention,
            removal_policy=self._removal_policy,
        ).function
