"""Short-term Bedrock API keys: bearer tokens that save signing each request.

A token is a signature made in advance: a presigned call in Base64, for one region, good for at most twelve
hours and never longer than the credentials that signed it. It covers no request, so whoever holds one can
call models in that region as the gateway does, until it expires.
"""

import base64
import time
from functools import lru_cache

from gateway.aws.credentials import Credentials
from gateway.aws.signature import presign

_HOST = "bedrock.amazonaws.com"
_LIFETIME_SECONDS = 12 * 60 * 60
# A token is used for no longer than this, and so is always renewed long before it expires.
_USE_SECONDS = 60 * 60


def bearer_token(credentials: Credentials, region: str) -> str:
    """The value of an `Authorization: Bearer` header for Bedrock's runtime in a region.

    It is signed once an hour and whenever the credentials are others; in between it costs a look-up.
    """
    return _token(credentials, region, int(time.time()) // _USE_SECONDS)


@lru_cache(maxsize=256)
def _token(credentials: Credentials, region: str, hour: int) -> str:  # noqa: ARG001 (part of the cache's key)
    query = presign(
        credentials,
        service="bedrock",
        region=region,
        method="POST",
        host=_HOST,
        path="/",
        parameters={"Action": "CallWithBearerToken"},
        lifetime_seconds=_LIFETIME_SECONDS,
    )
    url = f"{_HOST}/?{query}&Version=1"
    return "bedrock-api-key-" + base64.b64encode(url.encode()).decode()
