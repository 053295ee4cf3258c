"""People and machines that sign in."""

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_kms as kms
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
from gatehouse.sign_in_function import SignInFunctions
from gatehouse.sign_in_log import SignInLog
from gatehouse.user_pool import GatewayUserPool
from gatehouse.user_pool_replica import UserPoolReplica


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


@dataclass(frozen=True, kw_only=True)
class Copy:
    """Another `region` that has a copy of the directory; `key` is the multi-Region key of both."""

    region: str
    key: kms.IKey


class UserDirectory(Construct):
    """A Cognito user pool whose groups are the gateway's roles, and its clients.

    `people_client` is for programs on people's own machines, `console_client` for the load balancer's
    sign-in to the console, `machine_clients` for client credentials with the scope INVOKE_SCOPE: one, and one
    for each of `machine_names`. functions/pre_token says what is in people's tokens. `replica` is the copy,
    which takes a page at an own domain: without one it raises ValueError.
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
        copy: Copy | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
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
            key=copy.key if copy else None,
        )
        functions = SignInFunctions(
            self, log_key=log_key, log_retention=log_retention, removal_policy=removal_policy
        )
        self._ask(functions, membership)
        # Cognito's own sender takes no words but Cognito's.
        if mail is not None:
            self.user_pool.add_trigger(
                cognito.UserPoolOperation.CUSTOM_MESSAGE,
                functions.custom_message(platform_name=platform_name, platform_url=console_url),
            )
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
        self.replica = self._replicate(copy.region, page) if copy else None

    def _ask(self, functions: SignInFunctions, membership: Membership) -> None:
        operation = cognito.UserPoolOperation
        # Version 3 is asked for machines' tokens, too, which need nothing of it.
        self.user_pool.add_trigger(
            operation.PRE_TOKEN_GENERATION_CONFIG,
            functions.pre_token(membership.providers),
            cognito.LambdaVersion.V2_0,
        )
        if membership.allowed_domains:
            self.user_pool.add_trigger(
                operation.PRE_SIGN_UP, functions.pre_sign_up(membership.allowed_domains)
            )

    def _replicate(self, region: str, page: SignInPage) -> UserPoolReplica:
        if page.own_domain is None:
            raise ValueError(f"{page.host} cannot be served from {region}: Cognito moves own domains alone")
        return UserPoolReplica(self, "Replica", user_pool=self.user_pool, domain=self.domain, region=region)

    def _add_clients(self, membership: Membership, machine_names: Sequence[str], console_url: str) -> None:
        pool, session = self.user_pool, membership.session
        providers = [add_provider(pool, provider) for provider in membership.providers]
        server = pool.add_resource_server("Gateway", identifier=RESOURCE_SERVER, scopes=[INVOKE])
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
