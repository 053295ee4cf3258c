"""AWS Signature Version 4, for requests whose body is at hand.

The key derived for a day, region and service is cached: what remains per request is two hashes and one HMAC.
"""

import hmac
import time
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote

from gateway.aws.credentials import Credentials

_ALGORITHM = "AWS4-HMAC-SHA256"


def encode_path_segment(value: str) -> str:
    """Encode a value, such as a model's ID or ARN, as one segment of a request's path: ':' and '/' too."""
    return quote(value, safe="")


def encode_query(parameters: Mapping[str, str]) -> str:
    """Encode query parameters as a signature covers them; the request must carry this very text."""
    pairs = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in parameters.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def sign(
    credentials: Credentials,
    *,
    service: str,
    region: str,
    method: str,
    host: str,
    path: str,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    timestamp: float | None = None,
) -> dict[str, str]:
    """Return the headers that sign a request, to be sent besides the given ones.

    `path` and `query` are as they stand in the request line, so already encoded (encode_path_segment,
    encode_query). `headers` are those the signature covers besides the host's; their names are in lower case.
    `timestamp` is in seconds since 1970, by default now.
    """
    moment = _moment(timestamp)
    added = {"x-amz-date": moment}
    if credentials.session_token is not None:
        added["x-amz-security-token"] = credentials.session_token
    covered = {"host": host, **(headers or {}), **added}
    names = sorted(covered)
    signed_headers = ";".join(names)
    canonical_request = "\n".join(
        (
            method,
            _canonical_path(path),
            query,
            *(f"{name}:{covered[name].strip()}" for name in names),
            "",
            signed_headers,
            sha256(body).hexdigest(),
        )
    )
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    signature = _signature(credentials, moment, scope, canonical_request)
    added["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key_id}/{scope}, "
        f"SignedHeaders={signed_headers}, Signature={signature}"
    )
    return added


def presign(
    credentials: Credentials,
    *,
    service: str,
    region: str,
    method: str,
    host: str,
    path: str,
    parameters: Mapping[str, str],
    lifetime_seconds: int,
    timestamp: float | None = None,
) -> str:
    """Return the query of a URL that carries its own signature, for a request without a body.

    The signature covers the host and the `parameters`, and holds from `timestamp`, in seconds since 1970 and
    by default now, for `lifetime_seconds`.
    """
    moment = _moment(timestamp)
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    covered = {
        **parameters,
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key_id}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(lifetime_seconds),
        "X-Amz-SignedHeaders": "host",
    }
    if credentials.session_token is not None:
        covered["X-Amz-Security-Token"] = credentials.session_token
    query = encode_query(covered)
    canonical_request = "\n".join(
        (method, _canonical_path(path), query, f"host:{host}", "", "host", sha256(b"").hexdigest())
    )
    return f"{query}&X-Amz-Signature={_signature(credentials, moment, scope, canonical_request)}"


def _moment(timestamp: float | None) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(timestamp))


def _signature(credentials: Credentials, moment: str, scope: str, canonical_request: str) -> str:
    day, region, service, _ = scope.split("/")
    to_sign = "\n".join((_ALGORITHM, moment, scope, sha256(canonical_request.encode()).hexdigest()))
    key = _signing_key(credentials.secret_access_key, day, region, service)
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


@lru_cache(maxsize=256)
def _canonical_path(path: str) -> str:
    # Every service but S3 encodes the path a second time: what the request says as %3A is signed as %253A.
    return quote(path, safe="/~")


@lru_cache(maxsize=1024)
def _signing_key(secret_access_key: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_access_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
