"""The keys of issuers: fetched once for all who wait, replaced when they rotate, kept while they are away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.http_client import HttpClient
from gateway.identity.jwks import UNKNOWN_KEY_SECONDS, IssuerKeys, KeysUnavailableError
from gateway.structured_log import StructuredLog
from local.token_issuer import TokenIssuer, public_jwk

pytestmark = pytest.mark.anyio

StartServer = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(server: TokenIssuer, http: HttpClient, log: StructuredLog, clock: Clock) -> IssuerKeys:
    return IssuerKeys(server.issuer(), http, log, clock)


async def test_all_who_wait_share_one_fetch(keys: IssuerKeys, server: TokenIssuer) -> None:
    found = await asyncio.gather(*(keys.find("key-1") for _ in range(50)))
    assert all(found)
    assert server.requests == ["/keys"]


async def test_a_caller_that_leaves_does_not_take_the_fetch_with_it(
    keys: IssuerKeys, server: TokenIssuer
) -> None:
    leaving, staying = (asyncio.ensure_future(keys.find("key-1")) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying is not None
    assert leaving.cancelled()
    assert server.requests == ["/keys"]


async def test_made_up_key_ids_ask_the_issuer_seldom(
    keys: IssuerKeys, server: TokenIssuer, clock: Clock
) -> None:
    assert await keys.find("key-1")
    for number in range(200):
        assert await keys.find(f"made-up-{number}") is None
    assert len(server.requests) == 1
    clock.now += UNKNOWN_KEY_SECONDS
    for number in range(200):
        assert await keys.find(f"made-up-{number}") is None
    assert len(server.requests) == 2


async def test_keys_rotate(
    keys: IssuerKeys, server: TokenIssuer, clock: Clock, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    assert await keys.find("key-1")
    before = keys.generation
    server.keys = [public_jwk(signing_keys[1], "key-2")]
    clock.now += UNKNOWN_KEY_SECONDS
    second = await keys.find("key-2")
    assert second is not None
    assert second.key == signing_keys[1].public_key()
    assert keys.known("key-1") is None
    assert keys.generation > before


async def test_a_new_key_under_an_old_name_is_taken(
    keys: IssuerKeys, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    assert await keys.find("key-1")
    before = keys.generation
    await keys.refresh()
    assert keys.generation == before
    server.keys = [public_jwk(signing_keys[1], "key-1")]
    await keys.refresh()
    replaced = keys.known("key-1")
    assert replaced is not None
    assert replaced.key == signing_keys[1].public_key()
    assert keys.generation > before


def _gives_nothing(_: web.Request) -> web.StreamResponse:
    return web.Response(status=500)


@pytest.mark.parametrize(
    "answer",
    [
        _gives_nothing,
        lambda _: web.Response(status=302, headers={"location": "/elsewhere"}),
        lambda _: web.json_response({"keys": []}),
        lambda _: web.json_response([]),
        lambda _: web.Response(body=b"\xff\xfe"),
    ],
)
async def test_old_keys_are_kept_while_the_issuer_says_nothing_of_use(
    keys: IssuerKeys,
    server: TokenIssuer,
    clock: Clock,
    lines: list[dict[str, Any]],
    answer: Callable[[web.Request], web.StreamResponse],
) -> None:
    assert await keys.find("key-1")
    server.answer = answer
    clock.now += UNKNOWN_KEY_SECONDS
    with pytest.raises(KeysUnavailableError) as caught:
        await keys.find("key-2")
    assert caught.value.retry_after_seconds == UNKNOWN_KEY_SECONDS
    assert await keys.find("key-1")
    assert [line["event"] for line in lines] == ["signing_keys_not_fetched"]
    assert server.requests == ["/keys", "/keys"]
    server.answer = None
    clock.now += UNKNOWN_KEY_SECONDS
    assert await keys.find("key-2") is None


async def test_a_document_that_is_too_large_is_not_read_to_its_end(
    keys: IssuerKeys, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    server.keys = [public_jwk(signing_keys[0], "key-1", padding="p" * 300_000)]
    with pytest.raises(KeysUnavailableError, match="more than 262144 bytes"):
        await keys.find("key-1")


async def test_an_issuer_that_cannot_be_reached(
    server: TokenIssuer, http: HttpClient, log: StructuredLog
) -> None:
    issuer = server.issuer(jwks_url="http://127.0.0.1:1/keys")
    with pytest.raises(KeysUnavailableError):
        await IssuerKeys(issuer, http, log).find("key-1")


async def test_only_keys_that_may_sign_are_taken(
    server: TokenIssuer, http: HttpClient, log: StructuredLog, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    good = public_jwk(signing_keys[0], "good")
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    server.keys = [
        good,
        public_jwk(signing_keys[0], "for-encryption", use="enc"),
        public_jwk(signing_keys[0], "other-algorithm", alg="RS512"),
        public_jwk(small, "small"),
        public_jwk(ec.generate_private_key(ec.SECP256R1()), "not-allowed-here"),
        public_jwk(ec.generate_private_key(ec.SECP384R1()), "other-curve"),
        {"kty": "oct", "kid": "symmetric", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        {"kty": "RSA", "kid": 7, "n": good["n"], "e": "AQAB"},
        {"kty": "RSA", "n": good["n"], "e": "AQAB"},
        {"kid": "nothing-else"},
    ]
    keys = IssuerKeys(server.issuer(algorithms=["RS256"]), http, log)
    assert await keys.find("good")
    for key in server.keys[1:]:
        assert keys.known(key.get("kid", "")) is None
    keys = IssuerKeys(server.issuer(algorithms=["ES256"]), http, log)
    assert await keys.find("not-allowed-here")
    assert keys.known("good") is None
    assert keys.known("other-curve") is None


def _discovery(server: TokenIssuer, **members: Any) -> Callable[[web.Request], web.StreamResponse]:
    def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/.well-known/openid-configuration":
            return web.json_response({"issuer": server.url, "jwks_uri": f"{server.url}/found", **members})
        return web.json_response({"keys": server.keys})

    return answer


async def test_the_discovery_document_says_where_the_keys_are(
    server: TokenIssuer, http: HttpClient, log: StructuredLog
) -> None:
    server.answer = _discovery(server)
    assert await IssuerKeys(server.issuer(jwks_url=None), http, log).find("key-1")
    assert server.requests == ["/.well-known/openid-configuration", "/found"]


@pytest.mark.parametrize(
    "members",
    [
        {"issuer": "https://another.example.com"},
        {"jwks_uri": "http://keys.example.com/"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": 7},
    ],
)
async def test_a_discovery_document_of_no_use(
    server: TokenIssuer, http: HttpClient, log: StructuredLog, members: dict[str, Any]
) -> None:
    server.answer = _discovery(server, **members)
    with pytest.raises(KeysUnavailableError, match="discovery document"):
        await IssuerKeys(server.issuer(jwks_url=None), http, log).find("key-1")
    assert server.requests == ["/.well-known/openid-configuration"]


async def test_keys_are_there_before_anybody_asks(keys: IssuerKeys, server: TokenIssuer) -> None:
    task = asyncio.create_task(keys.keep_fresh())
    async with asyncio.timeout(30):
        while keys.known("key-1") is None:  # noqa: ASYNC110 (nothing tells)
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert server.requests == ["/keys"]
