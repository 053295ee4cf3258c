"""The user pool's copy in another region."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53 as route53
from constructs import Construct

from gatehouse.federation import Provider
from gatehouse.issuer import KEYS_PATH, regional_host
from gatehouse.sign_in_function import SignInFunctions
from gatehouse.sign_in_log import SignInLog

# Half a minute without an answer: the sign-in page should neither wait for people nor go to and fro.
CHECK_INTERVAL = cdk.Duration.seconds(10)
FAILURES = 3


class UserPoolReplica(Construct):
    """A copy of `user_pool` in `region`, and `domain` served from there while `health_check` fails here.

    The copy lets nobody in before its own region's stack has made it active. What it cannot do, because it
    writes nothing: new accounts, new passwords, codes of authenticator apps (docs/identity.md).
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        user_pool: cognito.IUserPool,
        domain: cognito.UserPoolDomain,
        region: str,
    ) -> None:
        super().__init__(scope, construct_id)
        replica = cognito.CfnUserPoolReplica(
            self, "Replica", user_pool_id=user_pool.user_pool_id, region_name=region
        )
        # Other tags would be another copy, and Cognito refuses a second one. ActiveReplica tags it.
        replica.add_property_deletion_override("UserPoolTagsAtCreate")
        # Of Cognito and not of the gateway: while the pool answers here nobody has to do with the copy. And
        # not through the domain, where it would see the copy and turn back.
        self.health_check = route53.HealthCheck(
            self,
            "Health",
            type=route53.HealthCheckType.HTTPS,
            fqdn=regional_host(cdk.Stack.of(self).region),
            resource_path=f"/{user_pool.user_pool_id}{KEYS_PATH}",
            request_interval=CHECK_INTERVAL,
            failure_threshold=FAILURES,
        )
        routed = domain.node.default_child
        assert isinstance(routed, cognito.CfnUserPoolDomain)  # noqa: S101 (narrows the type)
        routed.routing = cognito.CfnUserPoolDomain.RoutingTypeProperty(
            failover=cognito.CfnUserPoolDomain.FailoverTypeProperty(
                primary_route53_health_check_id=self.health_check.health_check_id, secondary_region=region
            )
        )
        # Cognito refuses to route to a region without a copy.
        domain.node.add_dependency(replica)


class ActiveReplica(Construct):
    """What is the copy's own, in its region: the functions that it asks, its log, and that it is active.

    It sends no mail: whatever a mail belongs to is done where the pool itself is.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        user_pool: cognito.IUserPool,
        providers: Sequence[Provider],
        allowed_domains: Sequence[str],
        threat_protection: bool,
        log_group_name: str,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        functions = SignInFunctions(
            self, log_key=log_key, log_retention=log_retention, removal_policy=removal_policy
        )
        pre_token = functions.pre_token(providers)
        # Nobody can sign up at a copy; should Cognito ever let people, the same are kept out.
        pre_sign_up = functions.pre_sign_up(allowed_domains) if allowed_domains else None
        asked = [function for function in (pre_token, pre_sign_up) if function is not None]
        settings = cognito.CfnUserPoolRegionalConfigurationAttachment
        attachment = settings(
            self,
            "Settings",
            user_pool_id=user_pool.user_pool_id,
            status="ACTIVE",
            lambda_config=settings.LambdaConfigProperty(
                pre_token_generation_config=settings.PreTokenGenerationConfigProperty(
                    lambda_arn=pre_token.function_arn, lambda_version="V2_0"
                ),
                pre_sign_up=pre_sign_up.function_arn if pre_sign_up else None,
            ),
        )
        for function in asked:
            self._let_ask(function, user_pool)
        # Without these permissions nobody could sign in.
        attachment.node.add_dependency(*asked)
        log = SignInLog(
            self,
            "Log",
            user_pool=user_pool,
            log_group_name=log_group_name,
            threat_protection=threat_protection,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        attachment.node.add_dependency(log)

    def _let_ask(self, function: lambda_.Function, user_pool: cognito.IUserPool) -> None:
        function.add_permission(
            "Cognito",
            principal=iam.ServicePrincipal("cognito-idp.amazonaws.com"),
            source_arn=user_pool.user_pool_arn,
        )
