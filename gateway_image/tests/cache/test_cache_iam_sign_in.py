"""Signing in to the cache as an IAM role, and again before the sign-in expires."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import botocore.session
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from gateway.aws.cache_token import cache_token
from gateway.aws.credentials import Credentials, CredentialsError, StaticCredentials
from gateway.cache.connection import Cache
from gateway.reachability import UnreachableError
from gateway.settings import Settings

pytestmark = pytest.mark.anyio

MOMENT = 1_795_000_000.0
NAME = "gatehouse-cache-1"
# Of the server's users, the one that takes any token.
USER = "by-iam"


class Changing(StaticCredentials):
    """Credentials that may expire and come back."""

    def __init__(self) -> None:
        super().__init__(Credentials(access_key_id="AKID", secret_access_key="secret-key"))
        self.expired = False

    def current(self) -> Credentials:
        if self.expired:
            raise CredentialsError("they have expired")
        return super().current()


@pytest.fixture
def credentials() -> Changing:
    return Changing()


@pytest.fixture
def iam_settings(shared_valkey: Any, make_settings: Any) -> Settings:
    return _settings(shared_valkey.port, make_settings)


def _settings(port: int, make_settings: Any) -> Settings:
    settings: Settings = make_settings(
        cache_port=port,
        cache_tls=False,
        cache_authentication="iam",
        cache_name=NAME,
        cache_username=USER,
        cache_password=None,
    )
    return settings


@pytest.mark.parametrize("session_token", [None, "token/with+characters=="])
@pytest.mark.parametrize("username", [USER, "User+/=~é"])
def test_a_token_is_signed_as_botocore_signs_it(session_token: str | None, username: str) -> None:
    session = botocore.session.Session()
    session.set_credentials("AKIDEXAMPLE", "secret", session_token)
    request = AWSRequest("GET", f"http://{NAME}/", params={"Action": "connect", "User": username})
    signer = SigV4QueryAuth(session.get_credentials(), "elasticache", "eu-central-1", expires=900)
    moment = datetime.fromtimestamp(MOMENT, UTC)
    with patch("botocore.auth.get_current_datetime", return_value=moment):
        signer.add_auth(request)
    ours = cache_token(
        Credentials(access_key_id="AKIDEXAMPLE", secret_access_key="secret", session_token=session_token),
        region="eu-central-1",
        cache_name=NAME,
        username=username,
        timestamp=MOMENT,
    )
    assert ours.startswith(f"{NAME}/?Action=connect&User=")
    assert _parts(ours) == _parts(request.url.removeprefix("http://"))


def _parts(token: str) -> tuple[str, list[str]]:
    """The order of parameters is part of the signature only in its sorted form."""
    host, _, query = token.partition("?")
    return host, sorted(query.split("&"))


async def test_every_connection_has_a_token_of_its_own(make_settings: Any, credentials: Changing) -> None:
    hellos: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hellos.append(await reader.read(65_536))
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        settings = _settings(server.sockets[0].getsockname()[1], make_settings)
        connecting = asyncio.create_task(Cache(settings, credentials).stay_connected())
        async with asyncio.timeout(10):
            while len(hellos) < 1:  # noqa: ASYNC110 (the server is the test's own)
                await asyncio.sleep(0.01)
            later = patch("gateway.aws.signature.time.gmtime", return_value=datetime(2030, 1, 1).timetuple())
            with later:
                known = len(hellos)
                while len(hellos) < known + 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        connecting.cancel()
    assert hellos[0].startswith(b"*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$6\r\nby-iam\r\n")
    assert f"\r\n{NAME}/?Action=connect&User={USER}&X-Amz-Algorithm=".encode() in hellos[0]
    assert b"X-Amz-Date=20300101T000000Z" in hellos[-1]
    assert b"secret-key" not in hellos[0]


async def test_expired_credentials_are_told(iam_settings: Settings, credentials: Changing) -> None:
    credentials.expired = True
    cache = Cache(iam_settings, credentials)
    connecting = asyncio.create_task(cache.stay_connected())
    with pytest.raises(UnreachableError, match="CredentialsError"):
        await cache.ping()
    connecting.cancel()


async def test_no_request_notices_that_connections_replace_each_other(
    connect: Any, iam_settings: Settings, credentials: Changing
) -> None:
    heard: list[bytes] = []

    async def catch_up() -> None:
        await cache.send("PING")

    cache = Cache(iam_settings, credentials, signed_in_seconds=0.05)
    cache.subscribe("gatehouse:channel", heard.append, catch_up)
    await connect(cache)
    connections: set[int] = set()
    async with asyncio.timeout(20):
        while len(connections) < 4:
            connections.add(await cache.send("CLIENT", "ID"))
            assert await cache.send("ECHO", "answered") == b"answered"
    await cache.send("PUBLISH", "gatehouse:channel", "message")
    assert b"message" in heard


async def test_commands_that_wait_get_their_reply_from_the_replaced_connection(
    connect: Any,
    until: Any,
    iam_settings: Settings,
    credentials: Changing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A slow test must not be taken for a cache that hangs.
    monkeypatch.setattr("gateway.cache.session._LOOK_SECONDS", 2)
    cache = await connect(Cache(iam_settings, credentials, signed_in_seconds=0.2))
    first = cache._session
    waiting = cache.send("BLPOP", "gatehouse:list", 60)
    await until(lambda: cache._session is not first)
    await cache.send("RPUSH", "gatehouse:list", "element")
    assert await waiting == [b"gatehouse:list", b"element"]
    await until(lambda: first.ended.done())
    assert await cache.send("PING") == b"PONG"


async def test_a_sign_in_that_fails_leaves_the_connection_in_use(
    connect: Any,
    until: Any,
    iam_settings: Settings,
    credentials: Changing,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("gateway.cache.connection._RENEWAL_PAUSE_SECONDS", 0.05)
    cache = await connect(Cache(iam_settings, credentials, signed_in_seconds=0.3))
    number = await cache.send("CLIENT", "ID")
    credentials.expired = True
    with caplog.at_level(logging.WARNING, "gateway.cache.connection"):
        await until(lambda: len(caplog.records) >= 2)
    assert "not signed in to anew: CredentialsError" in caplog.text
    assert await cache.send("CLIENT", "ID") == number
    session = cache._session
    credentials.expired = False
    await until(lambda: cache._session is not session)
    assert await cache.send("CLIENT", "ID") > number


async def test_a_connection_that_is_lost_is_replaced_at_once(
    connect: Any, until: Any, until_connected: Any, iam_settings: Settings, credentials: Changing
) -> None:
    cache = await connect(Cache(iam_settings, credentials))
    number = await cache.send("CLIENT", "ID")
    # As ElastiCache does when a sign-in has expired.
    cache.post("CLIENT", "KILL", "ID", number, "SKIPME", "no")
    await until(lambda: cache._session is None)
    await until_connected(cache)
    assert await cache.send("CLIENT", "ID") > number
