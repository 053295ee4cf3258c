"""Short-term Bedrock API keys: a presigned call in Base64, good in one region for up to twelve hours."""

import base64
import binascii
import datetime
import hmac
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.bedrock_simulator.errors import ServiceError

PREFIX = "bedrock-api-key-"
TIME_FORMAT = "%Y%m%dT%H%M%SZ"
_URL = "bedrock.amazonaws.com/?"
_LONGEST_SECONDS = 12 * 60 * 60


@dataclass(frozen=True)
class ShortTermKey:
    """What a short-term key says; whether its signature holds is not yet known."""

    access_key: str
    region: str
    session_token: str | None
    parameters: tuple[tuple[str, str], ...]
    signature: str


def read_key(token: str) -> ShortTermKey:
    """Take a short-term key apart; ServiceError if it is none or no longer good."""
    try:
        url = base64.b64decode(token.removeprefix(PREFIX), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise refused() from None
    pairs = parse_qsl(url.removeprefix(_URL), strict_parsing=False)
    fields = dict(pairs)
    scope = fields.get("X-Amz-Credential", "").split("/")
    well_formed = (
        url.startswith(_URL)
        and len(scope) == 5
        and scope[3:] == ["bedrock", "aws4_request"]
        and len(fields) == len(pairs)
        and fields.get("Action") == "CallWithBearerToken"
        and fields.get("Version") == "1"
        and fields.get("X-Amz-SignedHeaders") == "host"
        and fields.get("X-Amz-Algorithm") == "AWS4-HMAC-SHA256"
    )
    if not well_formed:
        raise refused()
    _check_age(fields)
    unsigned = ("X-Amz-Signature", "Version")
    return ShortTermKey(
        access_key=scope[0],
        region=scope[2],
        session_token=fields.get("X-Amz-Security-Token"),
        parameters=tuple((name, value) for name, value in pairs if name not in unsigned),
        signature=fields.get("X-Amz-Signature", ""),
    )


def verify(key: ShortTermKey, secret: str) -> None:
    """ServiceError unless whoever holds this secret signed the key."""
    request = AWSRequest(
        "POST", f"https://{_URL}{urlencode(key.parameters)}", headers={"host": _URL.partition("/")[0]}
    )
    request.context["timestamp"] = dict(key.parameters)["X-Amz-Date"]
    signer = SigV4Auth(Credentials(key.access_key, secret), "bedrock", key.region)
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    if not hmac.compare_digest(signer.signature(to_sign, request), key.signature):
        raise refused()


def refused() -> ServiceError:
    """The refusal of a bearer token that is not known or was tampered with."""
    return ServiceError(
        "AccessDeniedException", "Authentication failed: Please make sure your API Key is valid."
    )


def _check_age(fields: dict[str, str]) -> None:
    try:
        signed_at = datetime.datetime.strptime(fields.get("X-Amz-Date", ""), TIME_FORMAT)
        seconds = int(fields.get("X-Amz-Expires", ""))
    except ValueError:
        raise refused() from None
    age = datetime.datetime.now(datetime.UTC) - signed_at.replace(tzinfo=datetime.UTC)
    if not 0 < seconds <= _LONGEST_SECONDS or age.total_seconds() > seconds:
        raise ServiceError("AccessDeniedException", "Bearer Token has expired")
