"""Whose tokens are accepted, and what their claims mean here."""

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from gateway.catalog.names import Frozen
from gateway.validation import dotted, errors_of

Algorithm = Literal["RS256", "PS256", "ES256"]

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# The second form is that of user pools whose issuer several regions serve.
_COGNITO = re.compile(r"https://(issuer-)?cognito-idp\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[\w-]+")
_KEYS_PATH = "/.well-known/jwks.json"
_DISCOVERY_PATH = "/.well-known/openid-configuration"

_Text = Annotated[str, Field(min_length=1, max_length=512)]
_Texts = Annotated[tuple[_Text, ...], Field(max_length=100)]


class Issuer(Frozen):
    """An issuer of tokens: a Cognito user pool or another OpenID provider."""

    issuer: Annotated[
        _Text,
        Field(
            description="The claim iss, exactly; callers' IDs hold it.",
            examples=["https://login.example.com"],
        ),
    ]
    aliases: Annotated[
        _Texts,
        Field(
            description="Further values of iss with the same keys and people, such as a pool's older issuer: "
            "whoever calls with either is the same caller."
        ),
    ] = ()
    jwks_url: Annotated[
        _Text | None,
        Field(
            description="Where its keys are. Left out: Cognito's path, or what its discovery document says."
        ),
    ] = None
    audiences: Annotated[_Texts, Field(description="Of which the claim aud has to hold one.")] = ()
    client_ids: Annotated[
        _Texts,
        Field(
            description="Of which client_id has to be one, in tokens without aud: Cognito's access tokens."
        ),
    ] = ()
    token_use: Annotated[
        Literal["access", "id"] | None,
        Field(description="The claim token_use, which Cognito's tokens have; left out: not looked at."),
    ] = None
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ("RS256",)
    roles_claim: Annotated[_Text, Field(description="Whose values are names of roles.")] = "cognito:groups"
    name_claim: Annotated[_Text, Field(description="What people are called in logs and reports.")] = (
        "username"
    )
    project_claim: Annotated[
        _Text | None,
        Field(description="Whose value is the ID or the name of the project a person works for."),
    ] = None
    required_scope: Annotated[
        _Text | None, Field(description="Which the tokens of machines need to have.")
    ] = None

    @field_validator("issuer", "aliases", "jwks_url")
    @classmethod
    def _urls_are_safe(cls, given: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for url in (given,) if isinstance(given, str) else given or ():
            if not is_safe_url(url):
                raise ValueError(
                    f"{url!r} is not an absolute https URL without a user, a query or a fragment "
                    "(plain http only on this very machine)"
                )
        return given

    @model_validator(mode="after")
    def _says_for_whom(self) -> Self:
        if not self.audiences and not self.client_ids:
            raise ValueError(
                "accepts the tokens of every application of the issuer; name audiences, or client_ids for "
                "Cognito's access tokens"
            )
        if _COGNITO.fullmatch(self.issuer) and self.token_use is None:
            raise ValueError("is a Cognito user pool; say with token_use which of its tokens: access or id")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Every value of iss that it goes by."""
        return (self.issuer, *self.aliases)

    @property
    def keys_url(self) -> str | None:
        """Where its keys are; None if only its discovery document says so."""
        if self.jwks_url is not None:
            return self.jwks_url
        return f"{self.issuer}{_KEYS_PATH}" if _COGNITO.fullmatch(self.issuer) else None

    @property
    def discovery_url(self) -> str:
        """Where its discovery document is (OpenID Connect Discovery 1.0, section 4)."""
        return f"{self.issuer.rstrip('/')}{_DISCOVERY_PATH}"


_ISSUERS = TypeAdapter(tuple[Issuer, ...])


def parse_issuers(text: str) -> tuple[Issuer, ...]:
    """Read a JSON array of issuers; raises ValueError that says what is wrong with which."""
    try:
        issuers = _ISSUERS.validate_json(text)
    except ValidationError as error:
        problems = (
            f"{dotted(detail['loc']) or 'the whole'}: {detail['msg'].removeprefix('Value error, ')}"
            for detail in errors_of(error)
        )
        raise ValueError(f"is no JSON array of issuers: {'; '.join(problems)}") from None
    names = [name for issuer in issuers for name in issuer.names]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"names {', '.join(map(repr, twice))} twice; give each issuer one entry")
    return issuers


def is_safe_url(url: str) -> bool:
    """Whether keys may be fetched there: nobody on the way can put theirs in their place."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or parts.query or parts.fragment or re.search(r"[\s\x00-\x20\\]", url):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
