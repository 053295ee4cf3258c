"""The AWS credentials that a deployment is called with."""

from gateway.aws.assumed_roles import CredentialsByRole
from gateway.aws.credentials import Credentials, CredentialsError
from gateway.errors import provider_error


def role_credentials(credentials: CredentialsByRole, role_arn: str | None) -> Credentials:
    """The credentials of a role, the gateway's own without one; raises GatewayError 502 if there are none."""
    try:
        return credentials.current(role_arn)
    except CredentialsError as error:
        raise provider_error(
            "The gateway has no valid credentials for the model's provider.",
            code="upstream_credentials",
            detail=str(error),
        ) from error
