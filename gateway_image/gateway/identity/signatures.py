"""Signing keys and the signatures made with them: all that loads cryptography."""

from typing import Any, NamedTuple

import jwt.algorithms
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from gateway.identity.claims import Claims
from gateway.identity.errors import expired_token, invalid_token
from gateway.identity.issuers import Issuer
from gateway.identity.jwks import DocumentError

_KEYS = 100
_SMALLEST_RSA_BITS = 2048
_REQUIRED_CLAIMS = ["exp", "iat", "iss", "sub"]


class VerificationKey(NamedTuple):
    """A public key, and the algorithms it may be used with."""

    key: RSAPublicKey | EllipticCurvePublicKey
    algorithms: frozenset[str]


class _Jwk(msgspec.Struct):
    kty: str
    kid: str | None = None
    use: str | None = None
    alg: str | None = None
    crv: str | None = None
    n: str | None = None
    e: str | None = None
    x: str | None = None
    y: str | None = None


class _Jwks(msgspec.Struct):
    keys: list[msgspec.Raw]


def read_keys(document: bytes, issuer: Issuer) -> dict[str, VerificationKey]:
    """Read the keys of a JWKS by their IDs, without those that may not verify; raises DocumentError."""
    try:
        found = msgspec.json.decode(document, type=_Jwks).keys[:_KEYS]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise DocumentError("the keys cannot be read") from None
    keys: dict[str, VerificationKey] = {}
    for raw in found:
        try:
            jwk = msgspec.json.decode(raw, type=_Jwk)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        if jwk.kid and (key := _read_key(jwk, issuer)) is not None:
            keys[jwk.kid] = key
    if not keys:
        raise DocumentError("none of the keys can be used")
    return keys


def _read_key(jwk: _Jwk, issuer: Issuer) -> VerificationKey | None:
    """A key that may verify the issuer's signatures; None for any other, such as one for encryption."""
    members = {name: value for name, value in msgspec.to_builtins(jwk).items() if value is not None}
    key: object = None
    usable: frozenset[str] = frozenset()
    try:
        if jwk.kty == "RSA":
            key, usable = jwt.algorithms.RSAAlgorithm.from_jwk(members), frozenset({"RS256", "PS256"})
        elif jwk.kty == "EC":
            key, usable = jwt.algorithms.ECAlgorithm.from_jwk(members), frozenset({"ES256"})
    except (jwt.InvalidKeyError, ValueError):
        return None
    algorithms = usable & frozenset(issuer.algorithms)
    if jwk.alg is not None:
        algorithms &= {jwk.alg}
    if not algorithms or jwk.use not in (None, "sig"):
        return None
    if isinstance(key, RSAPublicKey) and key.key_size >= _SMALLEST_RSA_BITS:
        return VerificationKey(key, algorithms)
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return VerificationKey(key, algorithms)
    return None


def verified_claims(
    token: str, key: VerificationKey, algorithm: str, issuer: Issuer, *, leeway_seconds: int
) -> Claims:
    """Return the claims of a token that the key has signed and that holds now; raises GatewayError 401."""
    # What the header says of the algorithm counts only if both the issuer and the key allow it.
    allowed = key.algorithms & frozenset(issuer.algorithms)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key=key.key,
            algorithms=sorted(allowed & {algorithm}),
            issuer=frozenset(issuer.names),
            leeway=leeway_seconds,
            # Whether aud has to be there depends on the other claims: looked at below.
            options={"require": _REQUIRED_CLAIMS, "verify_aud": False},
        )
    except jwt.ExpiredSignatureError:
        raise expired_token() from None
    except jwt.InvalidTokenError as error:
        raise invalid_token(f"verification failed: {type(error).__name__}") from None
    return claims
