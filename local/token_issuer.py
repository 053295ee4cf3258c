"""An issuer of tokens for tests: it signs for real, also what no honest issuer would sign."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.identity.issuers import Issuer

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
CLIENT = "client-of-the-app"
MACHINE = "client-of-a-machine"


def public_jwk(key: PrivateKey, key_id: str, **members: object) -> dict[str, Any]:
    """A public key as issuers publish it."""
    if isinstance(key, rsa.RSAPrivateKey):
        described: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        described = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    described.pop("key_ops", None)
    return {**described, "kid": key_id, "use": "sig", **members}


class TokenIssuer:
    """Says what its keys are, and counts how often it is asked. answer: what it says instead."""

    def __init__(self, key: PrivateKey) -> None:
        self.url = ""
        self.keys: list[dict[str, Any]] = [public_jwk(key, "key-1", alg="RS256")]
        self.requests: list[str] = []
        self.answer: Callable[[web.Request], web.StreamResponse] | None = None

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Answer a request for the keys."""
        self.requests.append(request.path)
        if self.answer is not None:
            return self.answer(request)
        return web.json_response({"keys": self.keys})

    def issuer(self, **values: Any) -> Issuer:
        """How a gateway is told of it."""
        usual = {"issuer": self.url, "jwks_url": f"{self.url}/keys", "client_ids": [CLIENT, MACHINE]}
        return Issuer.model_validate({**usual, "token_use": "access", **values})

    def claims(self, **claims: Any) -> dict[str, Any]:
        """An access token's claims as Cognito writes them; None leaves one out."""
        now = int(time.time())
        usual = {
            "sub": "4f8c1d2e-0000-4000-8000-000000000001",
            "cognito:groups": ["analysts", "admin"],
            "iss": self.url,
            "version": 2,
            "client_id": CLIENT,
            "origin_jti": "6d1c0f4e-0000-4000-8000-000000000002",
            "token_use": "access",
            "scope": "openid",
            "auth_time": now,
            "exp": now + 3600,
            "iat": now,
            "jti": "f1d9c3a2-0000-4000-8000-000000000003",
            "username": "ada",
        }
        return {name: value for name, value in {**usual, **claims}.items() if value is not None}

    def machine_claims(self, **claims: Any) -> dict[str, Any]:
        """A machine's, after the client credentials grant: it is its own subject, and has no user name."""
        return self.claims(
            **{
                "sub": MACHINE,
                "client_id": MACHINE,
                "username": None,
                "cognito:groups": None,
                "origin_jti": None,
                "scope": "gateway/invoke",
                **claims,
            }
        )


def sign(
    claims: dict[str, Any],
    key: PrivateKey | str,
    key_id: str | None = "key-1",
    *,
    algorithm: str = "RS256",
    **header: Any,
) -> str:
    """A token as an issuer makes it."""
    named = {"typ": None, **header} if key_id is None else {"typ": None, "kid": key_id, **header}
    # Not jwt.encode: issuers, and attackers, write claims that it would refuse.
    return jwt.api_jws.encode(json.dumps(claims).encode(), key, algorithm=algorithm, headers=named)


def part(content: object) -> str:
    """One part of a token, from JSON or from bytes."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def assembled(header: object, claims: object, key: rsa.RSAPrivateKey) -> str:
    """A token whose parts are just these, signed as with RS256."""
    signing_input = f"{part(header)}.{part(claims)}"
    signature = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(
        signing_input.encode(), key
    )
    return f"{signing_input}.{part(signature)}"
