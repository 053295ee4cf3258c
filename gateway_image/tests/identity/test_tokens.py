"""Which tokens are taken for what they say they are. Attacks are those of RFC 8725, section 2, and beyond."""

import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.errors import GatewayError
from gateway.http_client import HttpClient
from gateway.identity.tokens import LEEWAY_SECONDS, LONGEST_TOKEN, Tokens, looks_like_token
from gateway.structured_log import StructuredLog
from local.token_issuer import CLIENT, TokenIssuer, assembled, part, public_jwk, sign

pytestmark = pytest.mark.anyio

MakeTokens = Callable[..., Tokens]
StartServer = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]


@pytest.fixture
def make_tokens(server: TokenIssuer, http: HttpClient, log: StructuredLog) -> MakeTokens:
    def make(**values: Any) -> Tokens:
        return Tokens([server.issuer(**values)], http, log)

    return make


async def refusal(tokens: Tokens, token: str) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await tokens.verify(token)
    error = caught.value
    assert error.status == 401
    if error.code == "invalid_token":
        assert error.message.startswith("The token is not valid here")
    for secret in token.split("."):
        assert len(secret) < 20 or (secret not in error.message and secret not in (error.detail or ""))
    return error


async def test_a_token_of_the_issuer_is_verified(
    make_tokens: MakeTokens, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    claims = server.claims()
    verified = await make_tokens().verify(sign(claims, signing_keys[0]))
    assert verified.claims == claims
    assert verified.issuer.issuer == server.url
    assert verified.expires_at == claims["exp"] + LEEWAY_SECONDS


@pytest.mark.parametrize(
    ("claims", "detail"),
    [
        ({"token_use": "id"}, "another use"),
        ({"token_use": None}, "another use"),
        ({"client_id": "client-of-another-app"}, "another application"),
        ({"client_id": None}, "another application"),
        ({"client_id": [CLIENT]}, "another application"),
        ({"aud": CLIENT}, "another application"),
        ({"aud": []}, "another application"),
        ({"iss": "https://issuer.example.com"}, "issuer is not accepted"),
        ({"iss": None}, "issuer is not accepted"),
        ({"iss": 7}, "issuer is not accepted"),
        ({"iss": ["https://issuer.example.com"]}, "issuer is not accepted"),
        ({"exp": None}, "MissingRequiredClaim"),
        ({"iat": None}, "MissingRequiredClaim"),
        ({"sub": None}, "MissingRequiredClaim"),
        ({"sub": 7}, "InvalidSubject"),
        ({"exp": "tomorrow"}, "DecodeError"),
        ({"exp": "99999999999"}, "claim exp is no time"),
        ({"iat": True}, "claim iat is no time"),
        ({"nbf": "0"}, "claim nbf is no time"),
        ({"iat": 1e300}, "ImmatureSignature"),
    ],
)
async def test_each_claim_has_to_be_right(
    make_tokens: MakeTokens,
    server: TokenIssuer,
    signing_keys: list[rsa.RSAPrivateKey],
    claims: dict[str, Any],
    detail: str,
) -> None:
    wrong = {**server.claims(), **claims}
    token = sign({name: value for name, value in wrong.items() if value is not None}, signing_keys[0])
    error = await refusal(make_tokens(), token)
    assert detail in (error.detail or "")
    assert error.code == "invalid_token"


async def test_the_issuer_has_to_be_the_same_to_the_last_character(
    make_tokens: MakeTokens, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    for issuer in (f"{server.url}/", server.url.upper(), f"{server.url} "):
        error = await refusal(make_tokens(), sign(server.claims(iss=issuer), signing_keys[0]))
        assert error.detail == "the issuer is not accepted"


async def test_expired_and_early_tokens_with_clocks_that_differ_a_little(
    make_tokens: MakeTokens, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    now, tokens = int(time.time()), make_tokens()
    error = await refusal(tokens, sign(server.claims(exp=now - LEEWAY_SECONDS - 1), signing_keys[0]))
    assert error.code == "token_expired"
    for early in ({"nbf": now + 3600}, {"iat": now + 3600}):
        error = await refusal(tokens, sign(server.claims(**early), signing_keys[0]))
        assert error.detail == "verification failed: ImmatureSignatureError"
    # A machine that stops for 20 s in the middle of this would have other problems.
    for tolerated in ({"exp": now - 5}, {"nbf": now + 5}, {"iat": now + 5}):
        await tokens.verify(sign(server.claims(**tolerated), signing_keys[0]))


async def test_algorithms_are_the_issuers_choice_not_the_tokens(
    make_tokens: MakeTokens, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    key, tokens = signing_keys[0], make_tokens()
    unsigned = f"{part({'alg': 'none', 'kid': 'key-1'})}.{part(server.claims())}."
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    confused = f"{part({'alg': 'HS256', 'kid': 'key-1'})}.{part(server.claims())}"
    confused += f".{part(hmac.new(public, confused.encode(), hashlib.sha256).digest())}"
    for token in (
        unsigned,
        unsigned.replace(part({"alg": "none", "kid": "key-1"}), part({"alg": "None", "kid": "key-1"})),
        confused,
        sign(server.claims(), key, algorithm="RS512"),
        sign(server.claims(), key, algorithm="PS256"),
        assembled({"kid": "key-1"}, server.claims(), key),
        assembled({"alg": ["RS256"], "kid": "key-1"}, server.claims(), key),
    ):
        assert (await refusal(tokens, token)).detail == "the algorithm is not accepted"
    assert server.requests == []


async def test_signatures_that_do_not_fit(
    make_tokens: MakeTokens, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    tokens = make_tokens()
    token = sign(server.claims(), signing_keys[0])
    header, claims, signature = token.split(".")
    other = sign(server.claims(sub="somebody-else"), signing_keys[0]).split(".")
    for forged in (
        sign(server.claims(), signing_keys[1]),
        f"{header}.{other[1]}.{signature}",
        f"{header}.{claims}.{signature[:-8]}",
        f"{header}.{claims}.",
        f"{header}.{claims}.{signature[:4]}!!{signature[4:]}",
    ):
        assert "verification failed" in ((await refusal(tokens, forged)).detail or "")


async def test_keys_that_come_with_a_token_are_never_used(
    make_tokens: MakeTokens,
    server: TokenIssuer,
    start_server: StartServer,
    signing_keys: list[rsa.RSAPrivateKey],
) -> None:
    attacker = TokenIssuer(signing_keys[1])
    attacker.url = await start_server(attacker.respond)
    tokens = make_tokens()
    for header in (
        {"jwk": public_jwk(signing_keys[1], "key-1")},
        {"jku": f"{attacker.url}/keys"},
        {"x5u": f"{attacker.url}/keys"},
        {"x5c": ["MIIB"]},
    ):
        forged = sign(server.claims(), signing_keys[1], **header)
        assert (await refusal(tokens, forged)).detail == "verification failed: InvalidSignatureError"
        # They may stand there: they are not looked at.
        await tokens.verify(sign(server.claims(), signing_keys[0], **header))
    assert attacker.requests == []


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        ({"kid": None}, "there is no key ID"),
        ({"kid": ""}, "there is no key ID"),
        ({"kid": 1}, "there is no key ID"),
        ({"kid": "k" * 1000}, "there is no key ID"),
        ({"crit": ["exp"]}, "the header asks for an extension"),
        ({"crit": []}, "the header asks for an extension"),
        ({"b64": False, "crit": ["b64"]}, "the header asks for an extension"),
        ({"typ": "logout+jwt"}, "the token is of another type"),
        ({"typ": "dpop+jwt"}, "the token is of another type"),
        ({"typ": 1}, "the token is of another type"),
    ],
)
async def test_headers_that_ask_for_something_else(
    make_tokens: MakeTokens,
    server: TokenIssuer,
    signing_keys: list[rsa.RSAPrivateKey],
    header: dict[str, Any],
    detail: str,
) -> None:
    whole = {"alg": "RS256", "kid": "key-1", **header}
    token = assembled(
        {name: v for name, v in whole.items() if v is not None}, server.claims(), signing_keys[0]
    )
    assert (await refusal(make_tokens(), token)).detail == detail


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt"])
async def test_types_of_access_tokens(
    make_tokens: MakeTokens, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey], kind: str
) -> None:
    await make_tokens().verify(sign(server.claims(), signing_keys[0], typ=kind))


async def test_what_can_be_read_in_two_ways_is_not_read(
    make_tokens: MakeTokens, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    header, claims = {"alg": "RS256", "kid": "key-1"}, json.dumps(server.claims())
    tokens = make_tokens()
    doubled = claims[:-1] + ', "sub": "somebody-else"}'
    nested = claims[:-1] + ', "x": {"a": 1, "a": 2}}'
    for content in (doubled, nested, claims[:-1] + ', "x": NaN}', "[]", "null", "{", "[" * 5000):
        token = assembled(header, content.encode(), signing_keys[0])
        assert (await refusal(tokens, token)).detail in (
            "the token cannot be read",
            "the token holds no objects",
        )
    twice = b'{"alg": "RS256", "kid": "key-1", "kid": "key-2"}'
    assert (await refusal(tokens, assembled(twice, claims.encode(), signing_keys[0]))).detail == (
        "the token cannot be read"
    )


async def test_an_oversized_token_is_not_even_read(
    make_tokens: MakeTokens, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    token = sign(server.claims(padding="p" * LONGEST_TOKEN), signing_keys[0])
    assert (await refusal(make_tokens(), token)).detail == "the token is too long"
    groups = [f"a-group-with-a-rather-long-name-{number}" for number in range(100)]
    await make_tokens().verify(sign(server.claims(**{"cognito:groups": groups}), signing_keys[0]))


async def test_issuers_do_not_vouch_for_each_other(
    http: HttpClient,
    log: StructuredLog,
    server: TokenIssuer,
    start_server: StartServer,
    signing_keys: list[rsa.RSAPrivateKey],
) -> None:
    other = TokenIssuer(signing_keys[1])
    other.url = await start_server(other.respond)
    tokens = Tokens([server.issuer(), other.issuer()], http, log)
    for mine, theirs, key in ((server, other, signing_keys[0]), (other, server, signing_keys[1])):
        assert (await tokens.verify(sign(mine.claims(), key))).issuer.issuer == mine.url
        # The same key ID, and another issuer's key.
        error = await refusal(tokens, sign(theirs.claims(), key))
        assert error.detail == "verification failed: InvalidSignatureError"


async def test_an_alias_is_the_same_issuer(
    make_tokens: MakeTokens, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    alias = "https://issuer-cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE01"
    tokens = make_tokens(aliases=[alias])
    verified = await tokens.verify(sign(server.claims(iss=alias), signing_keys[0]))
    assert verified.issuer.issuer == server.url


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        ({"aud": "gateway"}, True),
        ({"aud": ["other", "gateway"]}, True),
        ({"aud": "gateway", "client_id": None}, True),
        ({"aud": "other"}, False),
        ({"aud": ["gateway", 7]}, False),
        ({"aud": {"gateway": 1}}, False),
        ({"aud": "gateway", "client_id": "another"}, False),
        ({"client_id": CLIENT}, True),
        ({"client_id": None}, False),
    ],
)
async def test_audiences_and_clients(
    make_tokens: MakeTokens,
    server: TokenIssuer,
    signing_keys: list[rsa.RSAPrivateKey],
    claims: dict[str, Any],
    accepted: bool,
) -> None:
    tokens = make_tokens(audiences=["gateway"], client_ids=[CLIENT])
    token = sign(server.claims(**claims), signing_keys[0])
    if accepted:
        await tokens.verify(token)
    else:
        assert (await refusal(tokens, token)).detail == "the token is meant for another application"


async def test_other_algorithms_if_the_issuer_is_allowed_them(
    make_tokens: MakeTokens, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    server.keys = [public_jwk(signing_keys[0], "rsa"), public_jwk(curve, "ec", alg="ES256")]
    tokens = make_tokens(algorithms=["ES256", "PS256"])
    await tokens.verify(sign(server.claims(), curve, "ec", algorithm="ES256"))
    await tokens.verify(sign(server.claims(), signing_keys[0], "rsa", algorithm="PS256"))
    error = await refusal(tokens, sign(server.claims(), signing_keys[0], "ec", algorithm="PS256"))
    assert error.detail == "the key is for another algorithm"
    error = await refusal(tokens, sign(server.claims(), signing_keys[0], "rsa", algorithm="RS256"))
    assert error.detail == "the algorithm is not accepted"


async def test_an_issuer_that_was_never_reached_makes_nobody_unknown(
    make_tokens: MakeTokens, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    server.answer = lambda _: web.Response(status=503)
    with pytest.raises(GatewayError) as caught:
        await make_tokens().verify(sign(server.claims(), signing_keys[0]))
    assert (caught.value.status, caught.value.code) == (503, "identity_provider_unavailable")
    assert caught.value.retry_after_seconds


def test_what_looks_like_a_token() -> None:
    header = part({"alg": "RS256"})
    assert looks_like_token(f"{header}.e30.c2ln")
    assert looks_like_token(f"{header}..")
    for text in (
        "",
        "..",
        "a.b.c",
        header,
        f"{header}.e30",
        f"{header}.e30.c2ln.x",
        f"{part([])}.e30.x",
        "é.ü.ö",
    ):
        assert not looks_like_token(text)
