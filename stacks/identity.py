"""The Identity stack."""

from collections.abc import Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_kms as kms
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct

from gatehouse import federation, names
from gatehouse.alarms import topic_arn
from gatehouse.functions.pre_token.index import PROJECT_CLAIM
from gatehouse.mail import MailDomain
from gatehouse.user_directory import Membership, OwnDomain, SignInPage, UserDirectory
from stacks.config.identity import Identity, Mail
from stacks.config.model import Environment
from stacks.config.sign_in_provider import Provider, SamlProvider
from stacks.lifetimes import log_retention, removal_policy


class IdentityStack(cdk.Stack):
    """Who may sign in.

    `directory` is the user pool with its clients. `issuers` are those whose tokens the gateway accepts, as
    its setting `identity_issuers` wants them: the user pool's, then the configured ones.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, config: Environment, log_key: kms.IKey
    ) -> None:
        super().__init__(scope, construct_id, termination_protection=config.termination_protection)
        identity = config.identity
        zone = route53.HostedZone.from_hosted_zone_attributes(
            self, "Zone", hosted_zone_id=config.edge.hosted_zone_id, zone_name=config.edge.hosted_zone_name
        )
        mail = self._mail_domain(config, identity.mail, zone, log_key) if identity.mail else None
        self.directory = UserDirectory(
            self,
            "Users",
            page=_page(config),
            membership=_membership(identity),
            machine_names=identity.machine_clients,
            console_url=f"https://{config.edge.domain_name}",
            platform_name=f"Gatehouse {config.name}",
            mail=_sender(identity.mail, mail) if identity.mail and mail else None,
            log_group_name=names.sign_in_log_group(config.name),
            log_key=log_key,
            log_retention=log_retention(config),
            deletion_protection=config.termination_protection,
            removal_policy=removal_policy(config),
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
        self.issuers = [_own_issuer(self.directory, identity.app_client_ids), *_corporate_issuers(identity)]
        self._tell(self.directory)

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

    def _tell(self, directory: UserDirectory) -> None:
        cdk.CfnOutput(self, "UserPoolId", value=directory.user_pool.user_pool_id)
        cdk.CfnOutput(self, "MachineClientId", value=directory.machine_clients[0].user_pool_client_id)
        cdk.CfnOutput(self, "PeopleClientId", value=directory.people_client.user_pool_client_id)
        cdk.CfnOutput(self, "SignInUrl", value=directory.domain.base_url())


def _page(config: Environment) -> SignInPage:
    own = config.identity.domain
    return SignInPage(
        prefix=names.sign_in_domain_prefix(config.name, config.account),
        host=names.sign_in_host(config.name, config.account, config.region),
        own_domain=OwnDomain(name=own.domain_name, certificate_arn=own.certificate_arn) if own else None,
    )


def _membership(identity: Identity) -> Membership:
    return Membership(
        allowed_domains=identity.allowed_domains,
        self_sign_up=identity.self_sign_up,
        providers=[_provider(provider) for provider in identity.providers],
        mfa_required=identity.mfa == "required",
        threat_protection=identity.plan == "plus",
        session=cdk.Duration.hours(identity.session_hours),
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


def _own_issuer(directory: UserDirectory, app_client_ids: Sequence[str]) -> dict[str, Any]:
    clients = [*directory.machine_clients, directory.people_client]
    return {
        "issuer": directory.issuer,
        "client_ids": [*(client.user_pool_client_id for client in clients), *app_client_ids],
        "token_use": "access",
        "roles_claim": "cognito:groups",
        "project_claim": PROJECT_CLAIM,
        "required_scope": directory.invoke_scope,
    }


def _corporate_issuers(identity: Identity) -> list[dict[str, Any]]:
    return [issuer.model_dump(mode="json", exclude_defaults=True) for issuer in identity.issuers]
