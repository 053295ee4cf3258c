"""The password of a cache user who signs in as an IAM role."""

from gateway.aws.credentials import Credentials
from gateway.aws.signature import presign

# Only signing in has to happen within it. ElastiCache knows no other lifetime.
_LIFETIME_SECONDS = 15 * 60


def cache_token(
    credentials: Credentials, *, region: str, cache_name: str, username: str, timestamp: float | None = None
) -> str:
    """Return a token for ElastiCache; `cache_name` is the ID of the replication group, in lower case.

    It is a signed URL without its scheme, whose host is that ID: no endpoint of the cache. `timestamp` is in
    seconds since 1970, by default now.
    """
    query = presign(
        credentials,
        service="elasticache",
        region=region,
        method="GET",
        host=cache_name,
        path="/",
        parameters={"Action": "connect", "User": username},
        lifetime_seconds=_LIFETIME_SECONDS,
        timestamp=timestamp,
    )
    return f"{cache_name}/?{query}"
