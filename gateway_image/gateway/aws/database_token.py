"""The password of a database user who signs in as an IAM role."""

from gateway.aws.credentials import Credentials
from gateway.aws.signature import presign

# Only signing in has to happen within it; connections live on. RDS knows no other lifetime.
_LIFETIME_SECONDS = 15 * 60


def database_token(
    credentials: Credentials,
    *,
    region: str,
    host: str,
    port: int,
    username: str,
    timestamp: float | None = None,
) -> str:
    """Return a token for RDS; `host` must be the instance's own endpoint, not another name of it.

    It is a signed URL without its scheme. `timestamp` is in seconds since 1970, by default now.
    """
    address = f"{host}:{port}"
    query = presign(
        credentials,
        service="rds-db",
        region=region,
        method="GET",
        host=address,
        path="/",
        parameters={"Action": "connect", "DBUser": username},
        lifetime_seconds=_LIFETIME_SECONDS,
        timestamp=timestamp,
    )
    return f"{address}/?{query}"
