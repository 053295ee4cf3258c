"""People and machines that sign in."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.app_clients import (
    INVOKE,
    RESOURCE_SERVER,
    add_console_client,
    add_machine_client,
    add_people_client,
)
from gatehouse.federation import Provider, add_provider
from gatehouse.sign_in_function import SignInFunction
from gatehouse.sign_in_log import SignInLog
from gatehouse.user_pool import GatewayUserPool


@dataclass(frozen=True, kw_only=True)
class OwnDomain:
    """A host of one's own for the sign-in page, with a certificate in us-east-1."""

    name: str
    certificate_arn: str


@dataclass(frozen=True, kw_only=True)
class SignInPage:
    """Where people sign in: at `own_domain`, otherwise at Cognito's `host`, which begins with `prefix`."""

    prefix: str
    host: str
    own_domain: OwnDomain | None


@dataclass(frozen=True, kw_only=True)
class Membership:
    """Who gets an account, and what keeps it theirs.

    `allowed_domains` are those of people who sign up or come through one of `providers`; empty: any.
    """

    allowed_domains: Sequence[str]
    self_sign_up: bool
    providers: Sequence[Provider]
    mfa_required: bool
    threat_protection: bool
    session: cdk.Duration


class UserDirectory(Construct):
    """A Cognito user pool whose groups are the gateway's roles, and its clients.

    `people_client` is for programs on people's own machines, `console_client` for the load balancer's
    sign-in to the console, `machine_clients` for client credentials with the scope `invoke_scope`: one, and
    one for each of `machine_names`. `issuer` signs the tokens; functions/pre_token says what is in them.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        page: SignInPage,
        membership: Membership,
        machine_names: Sequence[str],
        console_url: str,
        platform_name: str,
        mail: cognito.UserPoolEmail | None,
        log_group_name: str,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        deletion_protection: bool,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self._log_key, self._log_retention, self._removal_policy = log_key, log_retention, removal_policy
        self.user_pool = GatewayUserPool(
            self,
            "UserPool",
            relying_party=page.own_domain.name if page.own_domain else page.host,
            mfa_required=membership.mfa_required,
            threat_protection=membership.threat_protection,
            self_sign_up=membership.self_sign_up,
            mail=mail,
            deletion_protection=deletion_protection,
            removal_policy=removal_policy,
        )
        self._ask_functions(membership, console_url, platform_name, has_mail=mail is not None)
        self._add_clients(membership, machine_names, console_url)
        self.domain = self._add_domain(page)
        SignInLog(
            self,
            "Log",
            user_pool=self.user_pool,
            log_group_name=log_group_name,
            threat_protection=membership.threat_protection,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        stack = cdk.Stack.of(self)
        self.issuer = f"https://cognito-idp.{stack.region}.amazonaws.com/{self.user_pool.user_pool_id}"

    def _ask_functions(
        self, membership: Membership, console_url: str, platform_name: str, *, has_mail: bool
    ) -> None:
        operation = cognito.UserPoolOperation
        pre_token = self._function(
            "pre_token",
            "Writes people's projects and roles into their tokens",
            PROVIDER_ROLES=json.dumps(
                {provider.name: dict(provider.roles) for provider in membership.providers}
            ),
        )
        # Version 3 is asked for machines' tokens, too, which need nothing of it.
        self.user_pool.add_trigger(
            operation.PRE_TOKEN_GENERATION_CONFIG, pre_token, cognito.LambdaVersion.V2_0
        )
        if membership.allowed_domains:
            pre_sign_up = self._function(
                "pre_sign_up",
                "Refuses accounts to addresses of other domains",
                ALLOWED_DOMAINS=",".join(membership.allowed_domains),
            )
            self.user_pool.add_trigger(operation.PRE_SIGN_UP, pre_sign_up)
        # Cognito's own sender takes no words but Cognito's.
        if has_mail:
            custom_message = self._function(
                "custom_message",
                "Words the mails to people",
                PLATFORM_NAME=platform_name,
                PLATFORM_URL=console_url,
            )
            self.user_pool.add_trigger(operation.CUSTOM_MESSAGE, custom_message)

    def _function(self, name: str, description: str, **environment: str) -> lambda_.Function:
        return SignInFunction(
            self,
            "".join(word.capitalize() for word in name.split("_")),
            handler=name,
            description=description,
            environment=environment,
            log_key=self._log_key,
            log_retention=self._log_retention,
            removal_policy=self._removal_policy,
        ).function

    def _add_clients(self, membership: Membership, machine_names: Sequence[str], console_url: str) -> None:
        pool, session = self.user_pool, membership.session
        providers = [add_provider(pool, provider) for provider in membership.providers]
        server = pool.add_resource_server("Gateway", identifier=RESOURCE_SERVER, scopes=[INVOKE])
        self.invoke_scope = f"{RESOURCE_SERVER}/{INVOKE.scope_name}"
        self.people_client = add_people_client(pool, providers=providers, session=session)
        self.console_client = add_console_client(
            pool, providers=providers, session=session, console_url=console_url
        )
        self.machine_clients = [
            add_machine_client(pool, construct_id, server)
            for construct_id in ("Machine", *(f"Machine-{name}" for name in machine_names))
        ]

    def _add_domain(self, page: SignInPage) -> cognito.UserPoolDomain:
        own = page.own_domain
        return self.user_pool.add_domain(
            "Domain",
            cognito_domain=None if own else cognito.CognitoDomainOptions(domain_prefix=page.prefix),
            custom_domain=cognito.CustomDomainOptions(
                domain_name=own.name,
                certificate=acm.Certificate.from_certificate_arn(self, "Certificate", own.certificate_arn),
            )
            if own
            else None,
            managed_login_version=cognito.ManagedLoginVersion.NEWER_MANAGED_LOGIN,
        )
