"""Whom a bearer token of EKS speaks for, as the cluster and AWS STS find out together."""

import base64
import datetime
import hmac
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_PREFIX = "k8s-aws-v1."
_CLUSTER_HEADER = "x-k8s-aws-id"
_PARAMETERS = {
    "Action",
    "Version",
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
}
_LIFETIME = datetime.timedelta(minutes=15)
_LONGEST_EXPIRY_SECONDS = 900


@dataclass(frozen=True)
class TokenReview:
    """Knows the secrets of access keys, and the name of the cluster that tokens must be for."""

    cluster: str
    region: str
    secrets: Mapping[str, str]

    def is_valid(self, authorization: str) -> bool:
        """Whether the header Authorization names a role of whom the cluster knows."""
        token = authorization.removeprefix("Bearer ")
        if token == authorization or not token.startswith(_PREFIX) or "=" in token:
            return False
        encoded = token.removeprefix(_PREFIX)
        try:
            url = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            return self._is_signed(urllib.parse.urlsplit(url.decode()))
        except (LookupError, ValueError):
            # Something is missing, or is not what it should be.
            return False

    def _is_signed(self, url: urllib.parse.SplitResult) -> bool:
        if (url.scheme, url.netloc, url.path) != ("https", f"sts.{self.region}.amazonaws.com", "/"):
            return False
        query = dict(urllib.parse.parse_qsl(url.query))
        if not query.keys() <= _PARAMETERS or query.get("Action") != "GetCallerIdentity":
            return False
        if set(query.get("X-Amz-SignedHeaders", "").split(";")) != {"host", _CLUSTER_HEADER}:
            return False
        if not 0 <= int(query.get("X-Amz-Expires", "-1")) <= _LONGEST_EXPIRY_SECONDS:
            return False
        signed_at = datetime.datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ")
        if datetime.datetime.now(datetime.UTC) - signed_at.replace(tzinfo=datetime.UTC) > _LIFETIME:
            return False
        access_key, _, scope = query["X-Amz-Credential"].partition("/")
        secret = self.secrets.get(access_key)
        if secret is None or scope.split("/")[1:] != [self.region, "sts", "aws4_request"]:
            return False
        return hmac.compare_digest(query["X-Amz-Signature"], self._signature(url, access_key, secret, query))

    def _signature(
        self, url: urllib.parse.SplitResult, access_key: str, secret: str, query: Mapping[str, str]
    ) -> str:
        """What AWS STS computes of the request as the cluster sends it: with its own name in the header."""
        pairs = [pair for pair in url.query.split("&") if not pair.startswith("X-Amz-Signature=")]
        request = AWSRequest(
            "GET",
            url._replace(query="&".join(pairs)).geturl(),
            headers={"host": url.netloc, _CLUSTER_HEADER: self.cluster},
        )
        request.context["timestamp"] = query["X-Amz-Date"]
        auth = SigV4QueryAuth(Credentials(access_key, secret), "sts", self.region)
        canonical = auth.canonical_request(request)
        signature: str = auth.signature(auth.string_to_sign(request, canonical), request)
        return signature
