"""JSON Web Tokens: whether one is genuine, meant for this gateway, and still valid."""

import json
import math
from base64 import urlsafe_b64decode
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gateway.http_client import HttpClient
from gateway.identity.claims import Claims
from gateway.identity.errors import identity_provider_unavailable, invalid_token
from gateway.identity.issuers import Issuer
from gateway.identity.jwks import IssuerKeys, KeysUnavailableError
from gateway.structured_log import StructuredLog

if TYPE_CHECKING:
    from gateway.identity.signatures import VerificationKey

# Cognito's hold up to 100 groups in some kilobytes.
LONGEST_TOKEN = 16 * 1024
# Clocks differ.
LEEWAY_SECONDS = 30
_LONGEST_KEY_ID = 256
# Of tokens that are meant to be shown to an API; a logout or a proof-of-possession token is another thing.
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})


class VerifiedToken:
    """What a token says, and who issued it. expires_at: in Unix time, with the leeway."""

    __slots__ = ("claims", "expires_at", "issuer")

    def __init__(self, claims: Claims, issuer: Issuer) -> None:
        self.claims = claims
        self.issuer = issuer
        self.expires_at: float = claims["exp"] + LEEWAY_SECONDS


class Tokens:
    """Verifies the tokens of the issuers that are configured."""

    def __init__(self, issuers: Sequence[Issuer], http: HttpClient, log: StructuredLog) -> None:
        self._keys = [IssuerKeys(issuer, http, log) for issuer in issuers]
        self._by_name: Mapping[str, tuple[Issuer, IssuerKeys]] = {
            name: (issuer, keys)
            for issuer, keys in zip(issuers, self._keys, strict=True)
            for name in issuer.names
        }

    @property
    def background(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What has to run beside the requests: keeping each issuer's keys fresh."""
        return [keys.keep_fresh for keys in self._keys]

    @property
    def generation(self) -> int:
        """Changes whenever an issuer's keys do."""
        return sum(keys.generation for keys in self._keys)

    async def verify(self, token: str, *, known_keys_only: bool = False) -> VerifiedToken:
        """Return what a token says.

        known_keys_only: never ask an issuer about a key ID that is new.
        Raises GatewayError 401 if it proves nothing, 503 if its issuer's keys are not known.
        """
        header, unverified = _read(token)
        named = unverified.get("iss")
        issuer, keys = self._by_name.get(named, (None, None)) if isinstance(named, str) else (None, None)
        if issuer is None or keys is None:
            raise invalid_token("the issuer is not accepted")
        algorithm = header.get("alg")
        # Before anything is fetched: what the issuer does not use can be nothing of its making.
        if algorithm not in issuer.algorithms:
            raise invalid_token("the algorithm is not accepted")
        key_id = header["kid"]
        try:
            key = keys.known(key_id) if known_keys_only else await keys.find(key_id)
        except KeysUnavailableError as error:
            raise identity_provider_unavailable(error.retry_after_seconds, str(error)) from None
        if key is None:
            raise invalid_token("the key ID is unknown")
        if algorithm not in key.algorithms:
            raise invalid_token("the key is for another algorithm")
        return VerifiedToken(_checked_claims(token, key, algorithm, issuer), issuer)


def looks_like_token(text: str) -> bool:
    """Whether a bearer's text is a JSON Web Token rather than a key: three parts, the first a JSON object."""
    if text.count(".") != 2:
        return False
    try:
        return isinstance(json.loads(_decoded(text.partition(".")[0])), dict)
    except (ValueError, RecursionError):
        return False


def _read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims, not verified; no token with anything that is open to interpretation."""
    if len(token) > LONGEST_TOKEN:
        raise invalid_token("the token is too long")
    try:
        header, claims = (
            json.loads(_decoded(part), object_pairs_hook=_once, parse_constant=_refuse_constant)
            for part in token.split(".")[:2]
        )
    except (ValueError, RecursionError):
        raise invalid_token("the token cannot be read") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise invalid_token("the token holds no objects")
    # Extensions that have to be understood (RFC 7515, section 4.1.11): none is here.
    if "crit" in header or "b64" in header:
        raise invalid_token("the header asks for an extension")
    # Keys that come with a token (jwk, jku, x5c, x5u) are never looked at: only the issuer's are used.
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= _LONGEST_KEY_ID:
        raise invalid_token("there is no key ID")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise invalid_token("the token is of another type")
    return header, claims


def _checked_claims(token: str, key: "VerificationKey", algorithm: str, issuer: Issuer) -> Claims:
    # Loaded already: by it the key was read.
    from gateway.identity.signatures import verified_claims

    claims = verified_claims(token, key, algorithm, issuer, leeway_seconds=LEEWAY_SECONDS)
    for name in ("exp", "iat", "nbf"):
        if name in claims and not _is_time(claims[name]):
            raise invalid_token(f"the claim {name} is no time")
    if issuer.token_use is not None and claims.get("token_use") != issuer.token_use:
        raise invalid_token("the token is for another use")
    if not _is_meant_for(claims, issuer):
        raise invalid_token("the token is meant for another application")
    return claims


def _is_meant_for(claims: Claims, issuer: Issuer) -> bool:
    """Whether a token names an audience that is accepted; if it names none, a client that is."""
    client_id, given = claims.get("client_id"), claims.get("aud")
    if "client_id" in claims and issuer.client_ids and client_id not in issuer.client_ids:
        return False
    if "aud" not in claims:
        return bool(issuer.client_ids) and client_id in issuer.client_ids
    audiences = given if isinstance(given, list) else [given]
    return all(isinstance(each, str) for each in audiences) and not set(audiences).isdisjoint(
        issuer.audiences
    )


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse what stands there twice: whoever reads the token next might take the other one."""
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("a member stands there twice")
    return found


def _refuse_constant(_name: str) -> Any:
    raise ValueError("no number")
