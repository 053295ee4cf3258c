"""The Identity stack."""

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_kms as kms
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct

from gatehouse import federation, names
from gatehouse.alarms import topic_arn
from gatehouse.app_clients import INVOKE_SCOPE
from gatehouse.functions.pre_token.index import PROJECT_CLAIM
from gatehouse.issuer import KEYS_PATH, original_issuer, shared_issuer
from gatehouse.mail import MailDomain
from gatehouse.user_directory import Copy, Membership, OwnDomain, SignInPage, UserDirectory
from stacks.config.identity import Identity, Mail
from stacks.config.model import Environment
from stacks.config.sign_in_provider import Provider, SamlProvider
from stacks.lifetimes import log_retention, removal_policy
from stacks.regional_stack import RegionalStack

# Outputs, by whose names another region finds what Cognito has called things.
USER_POOL = "UserPoolId"
_MACHINE_CLIENT, _PEOPLE_CLIENT = "MachineClientId", "PeopleClientId"


class IdentityStack(RegionalStack):
    """Who may sign in.

    `issuers` are those whose tokens the gateway accepts, as its setting `identity_issuers` wants them: the
    user pool's, then the configured ones. `issuer` is what the user pool's tokens name. `directory` is the
    user pool with its clients, None where a copy of it is.
    """

    directory: UserDirectory | None

    def _accept(self, config: Environment, *, user_pool_id: str, client_ids: Sequence[str]) -> None:
        """Say whose tokens are good: of the pool, those of its own clients and of the configured ones."""
        identity = config.identity
        original = original_issuer(config.primary_region, user_pool_id)
        shared = shared_issuer(config.primary_region, user_pool_id)
        own = {
            "issuer": original,
            "client_ids": [*client_ids, *identity.app_client_ids],
            "token_use": "access",
            "roles_claim": "cognito:groups",
            "project_claim": PROJECT_CLAIM,
            "required_scope": INVOKE_SCOPE,
        }
        has_copy = config.standby_region is not None
        if has_copy:
            # Callers' IDs hold the issuer: with or without a copy they stay who they are.
            own |= {"aliases": [shared], "jwks_url": f"{shared}{KEYS_PATH}"}
        self.issuer = shared if has_copy else original
        self.issuers = [own, *_corporate_issuers(identity)]


class PrimaryIdentityStack(IdentityStack):
    """The user pool, where people get their accounts."""

    directory: UserDirectory

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: Environment,
        data_key: kms.IKey,
        log_key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id, config=config)
        identity = config.identity
        zone = route53.HostedZone.from_hosted_zone_attributes(
            self, "Zone", hosted_zone_id=config.edge.hosted_zone_id, zone_name=config.edge.hosted_zone_name
        )
        mail = self._mail_domain(config, identity.mail, zone, log_key) if identity.mail else None
        self.directory = UserDirectory(
            self,
            "Users",
            page=_page(config),
            membership=membership(identity),
            machine_names=identity.machine_clients,
            console_url=f"https://{config.edge.domain_name}",
            platform_name=f"Gatehouse {config.name}",
            mail=_sender(identity.mail, mail) if identity.mail and mail else None,
            log_group_name=names.sign_in_log_group(config.name),
            log_key=log_key,
            log_retention=log_retention(config),
            deletion_protection=config.termination_protection,
            removal_policy=removal_policy(config),
            copy=Copy(region=config.standby_region, key=data_key) if config.standby_region else None,
        )
        if mail is not None:
            self.directory.user_pool.node.add_dependency(mail.verified)
        if identity.domain is not None:
            route53.ARecord(
                self,
                "SignInAlias",
                zone=zone,
                record_name=f"{identity.domain.domain_name}.",
                target=route53.RecordTarget.from_alias(targets.UserPoolDomainTarget(self.directory.domain)),
            )
        clients = _client_ids(self.directory, identity)
        self._accept(
            config, user_pool_id=self.directory.user_pool.user_pool_id, client_ids=list(clients.values())
        )
        self._tell(clients)

    def _mail_domain(
        self, config: Environment, mail: Mail, zone: route53.IHostedZone, log_key: kms.IKey
    ) -> MailDomain:
        return MailDomain(
            self,
            "Mail",
            domain=mail.domain,
            hosted_zone=zone,
            alarm_topic_arn=topic_arn(self, names.alarm_topic(config.name)),
            log_key=log_key,
            log_retention=log_retention(config),
            removal_policy=removal_policy(config),
        )

    def _tell(self, clients: Mapping[str, str]) -> None:
        cdk.CfnOutput(self, USER_POOL, value=self.directory.user_pool.user_pool_id)
        for output, client_id in clients.items():
            cdk.CfnOutput(self, output, value=client_id)
        cdk.CfnOutput(self, "SignInUrl", value=self.directory.domain.base_url())
        if self.directory.replica is not None:
            check = self.directory.replica.health_check
            cdk.CfnOutput(self, "SignInHealthCheckId", value=check.health_check_id)


def membership(identity: Identity) -> Membership:
    """Who gets an account, as the section says."""
    return Membership(
        allowed_domains=identity.allowed_domains,
        self_sign_up=identity.self_sign_up,
        providers=[_provider(provider) for provider in identity.providers],
        mfa_required=identity.mfa == "required",
        threat_protection=identity.plan == "plus",
        session=cdk.Duration.hours(identity.session_hours),
    )


def client_outputs(identity: Identity) -> list[str]:
    """The outputs that hold the IDs of the pool's clients: of the machines, then of people's programs."""
    # Names of machines have no capitals, so that two names never make one.
    machines = [f"{_MACHINE_CLIENT}{name.replace('-', 'Dash')}" for name in identity.machine_clients]
    return [_MACHINE_CLIENT, *machines, _PEOPLE_CLIENT]


def _client_ids(directory: UserDirectory, identity: Identity) -> dict[str, str]:
    """The IDs of the pool's clients by the outputs that hold them."""
    clients = [*directory.machine_clients, directory.people_client]
    ids = (client.user_pool_client_id for client in clients)
    return dict(zip(client_outputs(identity), ids, strict=True))


def _page(config: Environment) -> SignInPage:
    own = config.identity.domain
    return SignInPage(
        prefix=names.sign_in_domain_prefix(config.name, config.account),
        host=names.sign_in_host(config.name, config.account, config.region),
        own_domain=OwnDomain(name=own.domain_name, certificate_arn=own.certificate_arn) if own else None,
    )


def _provider(provider: Provider) -> federation.Provider:
    values = provider.model_dump(exclude={"type"})
    kind = federation.SamlProvider if isinstance(provider, SamlProvider) else federation.OidcProvider
    return kind(**values)


def _sender(mail: Mail, domain: MailDomain) -> cognito.UserPoolEmail:
    return cognito.UserPoolEmail.with_ses(
        from_email=mail.from_address,
        from_name=mail.from_name,
        reply_to=mail.reply_to,
        ses_verified_domain=mail.domain,
        configuration_set_name=domain.configuration_set.configuration_set_name,
    )


def _corporate_issuers(identity: Identity) -> list[dict[str, Any]]:
    return [issuer.model_dump(mode="json", exclude_defaults=True) for issuer in identity.issuers]
