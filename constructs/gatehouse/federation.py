"""Corporate identity providers that people sign in with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito

from gatehouse.functions.pre_token import index as claims


@dataclass(frozen=True, kw_only=True)
class _Provider:
    """What every provider has: a name, which of its claims is what, and a role for each group of it."""

    name: str
    email_claim: str
    name_claim: str
    project_claim: str | None = None
    groups_claim: str | None = None
    roles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SamlProvider(_Provider):
    """A provider of SAML 2.0; its metadata come from a URL or are given, one of them."""

    metadata_url: str | None = None
    metadata_xml: str | None = None


@dataclass(frozen=True, kw_only=True)
class OidcProvider(_Provider):
    """A provider of OpenID Connect; the secret `client_secret_name` holds the client's secret as its text."""

    issuer: str
    client_id: str
    client_secret_name: str
    scopes: tuple[str, ...]


Provider = SamlProvider | OidcProvider


def add_provider(
    pool: cognito.UserPool, provider: Provider
) -> cognito.UserPoolIdentityProviderSaml | cognito.UserPoolIdentityProviderOidc:
    """Let people sign in to `pool` with a provider."""
    construct_id = f"Provider{provider.name}"
    if isinstance(provider, SamlProvider):
        return cognito.UserPoolIdentityProviderSaml(
            pool,
            construct_id,
            user_pool=pool,
            name=provider.name,
            metadata=_metadata(provider),
            attribute_mapping=_mapping(provider),
            request_signing_algorithm=cognito.SigningAlgorithm.RSA_SHA256,
            # A sign-in that nobody asked for could be another person's.
            idp_initiated=False,
        )
    secret = cdk.SecretValue.secrets_manager(provider.client_secret_name)
    return cognito.UserPoolIdentityProviderOidc(
        pool,
        construct_id,
        user_pool=pool,
        name=provider.name,
        issuer_url=provider.issuer,
        client_id=provider.client_id,
        # CloudFormation resolves the reference; the template holds no secret.
        client_secret=secret.unsafe_unwrap(),
        scopes=list(provider.scopes),
        attribute_mapping=_mapping(provider),
        attribute_request_method=cognito.OidcAttributeRequestMethod.GET,
    )


def _metadata(provider: SamlProvider) -> cognito.UserPoolIdentityProviderSamlMetadata:
    if provider.metadata_url is not None:
        return cognito.UserPoolIdentityProviderSamlMetadata.url(provider.metadata_url)
    return cognito.UserPoolIdentityProviderSamlMetadata.file(provider.metadata_xml or "")


def _mapping(provider: Provider) -> cognito.AttributeMapping:
    told = {
        claims.PROVIDER_PROJECT: provider.project_claim,
        claims.PROVIDER_GROUPS: provider.groups_claim,
    }
    other = cognito.ProviderAttribute.other
    return cognito.AttributeMapping(
        email=other(provider.email_claim),
        fullname=other(provider.name_claim),
        custom={attribute: other(claim) for attribute, claim in told.items() if claim is not None},
    )
