"""Through which programs people and machines sign in to the user pool."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito

from gatehouse.user_pool import ATTRIBUTES

RESOURCE_SERVER = "gateway"
INVOKE = cognito.ResourceServerScope(scope_name="invoke", scope_description="Call models")
# As tokens write it.
INVOKE_SCOPE = f"{RESOURCE_SERVER}/{INVOKE.scope_name}"
# Where a program on a person's own machine waits for the answer of the sign-in page: Cognito compares ports,
# and one may be taken.
LOOPBACK_URLS = tuple(f"http://127.0.0.1:{port}/callback" for port in (8400, 8401, 8402))
ACCESS_TOKEN_LIFETIME = cdk.Duration.hours(1)
# A request that was sent twice, or whose answer got lost, may use the former refresh token once more.
ROTATION_GRACE = cdk.Duration.seconds(30)

_SCOPES = [cognito.OAuthScope.OPENID, cognito.OAuthScope.EMAIL, cognito.OAuthScope.PROFILE]


def add_people_client(
    pool: cognito.UserPool,
    *,
    providers: Sequence[cognito.IUserPoolIdentityProvider],
    session: cdk.Duration,
) -> cognito.UserPoolClient:
    """Add the client of programs on people's own machines: it has no secret, so its codes are bound by PKCE.

    Its refresh tokens change with each use: a stolen one that is used tells on itself.
    """
    return _add_client(
        pool,
        "People",
        providers=providers,
        session=session,
        callback_urls=LOOPBACK_URLS,
        rotation_grace=ROTATION_GRACE,
    )


def add_console_client(
    pool: cognito.UserPool,
    *,
    providers: Sequence[cognito.IUserPoolIdentityProvider],
    session: cdk.Duration,
    console_url: str,
) -> cognito.UserPoolClient:
    """Add the client of the load balancer, which signs people in to the console and keeps the secret."""
    return _add_client(
        pool,
        "Console",
        providers=providers,
        session=session,
        # A path that the load balancer defines.
        callback_urls=[f"{console_url}/oauth2/idpresponse"],
        logout_urls=[f"{console_url}/"],
        generate_secret=True,
    )


def _add_client(
    pool: cognito.UserPool,
    construct_id: str,
    *,
    providers: Sequence[cognito.IUserPoolIdentityProvider],
    session: cdk.Duration,
    callback_urls: Sequence[str],
    logout_urls: Sequence[str] = (),
    generate_secret: bool = False,
    rotation_grace: cdk.Duration | None = None,
) -> cognito.UserPoolClient:
    identity_provider = cognito.UserPoolClientIdentityProvider
    client = pool.add_client(
        construct_id,
        generate_secret=generate_secret,
        access_token_validity=ACCESS_TOKEN_LIFETIME,
        id_token_validity=ACCESS_TOKEN_LIFETIME,
        refresh_token_validity=session,
        refresh_token_rotation_grace_period=rotation_grace,
        prevent_user_existence_errors=True,
        enable_token_revocation=True,
        # The sign-in page offers passkeys only to clients with this flow.
        auth_flows=cognito.AuthFlow(user=True),
        supported_identity_providers=[
            identity_provider.COGNITO,
            *(identity_provider.custom(provider.provider_name) for provider in providers),
        ],
        write_attributes=_writable(),
        o_auth=cognito.OAuthSettings(
            flows=cognito.OAuthFlows(authorization_code_grant=True),
            scopes=_SCOPES,
            callback_urls=list(callback_urls),
            logout_urls=list(logout_urls) or None,
        ),
    )
    client.node.add_dependency(*providers)
    # Without a style there is no sign-in page.
    cognito.CfnManagedLoginBranding(
        pool,
        f"{construct_id}Style",
        user_pool_id=pool.user_pool_id,
        client_id=client.user_pool_client_id,
        use_cognito_provided_values=True,
    )
    return client


def _writable() -> cognito.ClientAttributes:
    """What providers tell of people, which Cognito writes as the client; never the project itself."""
    told = [name for name in ATTRIBUTES if name.startswith("provider_")]
    names = cognito.ClientAttributes().with_standard_attributes(email=True, fullname=True)
    return names.with_custom_attributes(*told)


def add_machine_client(
    pool: cognito.UserPool, construct_id: str, server: cognito.UserPoolResourceServer
) -> cognito.UserPoolClient:
    """Add the client of one machine: its ID and secret get it tokens for calling models, and nothing else."""
    return pool.add_client(
        construct_id,
        generate_secret=True,
        prevent_user_existence_errors=True,
        enable_token_revocation=True,
        # No person signs in through it.
        auth_flows=cognito.AuthFlow(user_srp=False),
        access_token_validity=ACCESS_TOKEN_LIFETIME,
        o_auth=cognito.OAuthSettings(
            flows=cognito.OAuthFlows(client_credentials=True),
            scopes=[cognito.OAuthScope.resource_server(server, INVOKE)],
        ),
    )
