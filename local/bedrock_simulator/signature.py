"""Who calls: Signature Version 4 and Bedrock API keys (bearer tokens)."""

import datetime
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, HTTPHeaders
from botocore.credentials import Credentials

from local.bedrock_simulator import bearer_tokens
from local.bedrock_simulator.errors import ServiceError
from local.bedrock_simulator.scenario import BearerToken, Scenario
from local.bedrock_simulator.sessions import Session, Sessions

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[^/,\s]+)"
    r"/(?P<service>[^/,\s]+)/aws4_request, *"
    r"SignedHeaders=(?P<headers>[^,\s]+), *Signature=(?P<signature>[0-9a-f]{64})"
)
_TIME_FORMAT = "%Y%m%dT%H%M%SZ"
_ALLOWED_SKEW = datetime.timedelta(minutes=5)


@dataclass(frozen=True)
class Caller:
    """An authenticated caller; `region` is the Bedrock region it addressed."""

    account: str
    region: str
    access_key: str | None
    session: Session | None = None
    authentication: Literal["signature", "bearer"] = "signature"


@dataclass(frozen=True)
class Credential:
    """What an Authorization header claims, not yet verified."""

    access_key: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str


@dataclass(frozen=True)
class SignedRequest:
    """What a signature covers: `url` as sent, percent-encoding included, and headers whatever their case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class Authenticator:
    """Tells callers by the accounts of a scenario and by the sessions of their roles."""

    def __init__(self, scenario: Scenario) -> None:
        self.sessions = Sessions()
        self._accept_unknown = scenario.unknown_access_keys == "accept"
        self._default_account = scenario.default_account
        self._keys = {
            key: (account.id, secret)
            for account in scenario.accounts
            for key, secret in account.access_keys.items()
        }
        self._tokens: dict[str, tuple[str, BearerToken]] = {
            bearer.token: (account.id, bearer)
            for account in scenario.accounts
            for bearer in account.bearer_tokens
        }

    def authenticate(self, request: SignedRequest, *, service: str = "bedrock") -> Caller:
        """The caller, or ServiceError as the real service refuses it.

        A signature is verified when the scenario knows the key's secret. An unknown key is an anonymous
        caller of the default account unless the scenario rejects unknown keys.
        """
        authorization = request.headers.get("Authorization", "")
        if service == "bedrock" and authorization.startswith("Bearer "):
            return self._by_token(authorization.removeprefix("Bearer "))
        credential = _parse(authorization)
        if credential.service != service:
            raise ServiceError(
                "InvalidSignatureException", f"Credential should be scoped to correct service: '{service}'. "
            )
        token = request.headers.get("X-Amz-Security-Token")
        caller, secret = self._identify(credential.access_key, credential.region, token)
        if secret is not None:
            _verify(request, credential, secret)
        return caller

    def _identify(self, access_key: str, region: str, token: str | None) -> tuple[Caller, str | None]:
        """Whom an access key belongs to, and the secret to verify with: none for an unknown key."""
        if (session := self.sessions.find(access_key)) is not None:
            if session.has_expired:
                raise ServiceError(
                    "ExpiredTokenException", "The security token included in the request is expired"
                )
            if token != session.token:
                raise _unrecognized()
            return Caller(session.account, region, access_key, session), session.secret
        if (known := self._keys.get(access_key)) is not None:
            account, secret = known
            return Caller(account, region, access_key), secret
        if not self._accept_unknown:
            raise _unrecognized()
        return Caller(self._default_account, region, access_key), None

    def _by_token(self, token: str) -> Caller:
        if (known := self._tokens.get(token)) is not None:
            account, bearer = known
            return Caller(account, bearer.region, None, authentication="bearer")
        if not token.startswith(bearer_tokens.PREFIX):
            raise bearer_tokens.refused()
        key = bearer_tokens.read_key(token)
        caller, secret = self._identify(key.access_key, key.region, key.session_token)
        if secret is not None:
            bearer_tokens.verify(key, secret)
        return replace(caller, authentication="bearer")


def _unrecognized() -> ServiceError:
    return ServiceError(
        "UnrecognizedClientException", "The security token included in the request is invalid."
    )


def _parse(authorization: str) -> Credential:
    if not authorization:
        raise ServiceError("MissingAuthenticationTokenException", "Missing Authentication Token")
    match = _AUTHORIZATION.fullmatch(authorization)
    if match is None:
        raise ServiceError(
            "IncompleteSignatureException",
            "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' "
            "parameter. Authorization header requires 'SignedHeaders' parameter.",
        )
    return Credential(
        match["key"],
        match["region"],
        match["service"],
        tuple(match["headers"].split(";")),
        match["signature"],
    )


class _Signer(SigV4Auth):  # type: ignore[misc] # botocore ships no types
    """botocore's signer over exactly the headers that the caller signed."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        return request.headers


def _verify(request: SignedRequest, credential: Credential, secret: str) -> None:
    timestamp = request.headers.get("X-Amz-Date", "")
    _check_age(timestamp)
    signed = {name: request.headers[name] for name in credential.signed_headers if name in request.headers}
    aws_request = AWSRequest(request.method, request.url, headers=signed, data=request.body)
    aws_request.context["timestamp"] = timestamp
    signer = _Signer(Credentials(credential.access_key, secret), credential.service, credential.region)
    expected = signer.signature(
        signer.string_to_sign(aws_request, signer.canonical_request(aws_request)), aws_request
    )
    if "host" not in credential.signed_headers or not hmac.compare_digest(expected, credential.signature):
        raise ServiceError(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method. "
            "Consult the service documentation for details.",
        )


def _check_age(timestamp: str) -> None:
    now = datetime.datetime.now(datetime.UTC)
    try:
        signed_at = datetime.datetime.strptime(timestamp, _TIME_FORMAT).replace(tzinfo=datetime.UTC)
    except ValueError:
        raise ServiceError(
            "IncompleteSignatureException",
            f"Date must be in ISO-8601 'basic format'. Got '{timestamp}'. "
            "See http://en.wikipedia.org/wiki/ISO_8601",
        ) from None
    oldest = now - _ALLOWED_SKEW
    if signed_at < oldest:
        raise ServiceError(
            "InvalidSignatureException",
            f"Signature expired: {timestamp} is now earlier than {oldest.strftime(_TIME_FORMAT)} "
            f"({now.strftime(_TIME_FORMAT)} - 5 min.)",
        )
